// Reading rows: by name with the directory's standing, by tree, and by the server they are on.
import type { Redis } from 'ioredis';
import type { Lookup, Standing } from '../directory.ts';
import type { Bytes, Entry } from '../entry.ts';
import { nameIn, placeOf } from '../tree.ts';
import type { Place } from '../tree.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { unpackRow } from './packing.ts';
import { flag, lookupScript, pairsIn, readTreesScript, replyFrom, stringsIn } from './script.ts';
import { standingFrom, weakest } from './standing.ts';

/** How many trees one script call reads: keeps Redis free for others in between. */
export const treesAtOnce = 200;

export class RowReader {
  readonly #redis: Redis;
  readonly #shards: number;

  constructor(redis: Redis, shards: number) {
    this.#redis = redis;
    this.#shards = shards;
  }

  /** Of all shards; a lookup brings only those of its names. */
  async standing(): Promise<Standing> {
    const shards = Array.from({ length: this.#shards }, (_, shard) => this.#ask(shard, []));
    return weakest((await Promise.all(shards)).map(({ standing }) => standing));
  }

  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const places = names.map((name) => ({ name, ...placeOf(name) }));
    const shards = new Map<number, typeof places>();
    for (const place of places) {
      const shard = shardOf(place.tree, this.#shards);
      shards.set(shard, [...(shards.get(shard) ?? []), place]);
    }
    const found = new Map<Bytes, Entry>();
    const standings = await Promise.all(
      Array.from(shards, async ([shard, wanted]) => {
        const { rows, standing } = await this.#ask(shard, wanted);
        rows.forEach((packed, index) => {
          const name = wanted[index]?.name ?? '';
          if (packed !== '') found.set(name, unpackRow(name, packed));
        });
        return standing;
      }),
    );
    return { entries: names.map((name) => found.get(name)), standing: weakest(standings) };
  }

  async #ask(
    shard: number,
    wanted: readonly ({ name: Bytes } & Place)[],
  ): Promise<{ rows: Bytes[]; standing: Standing }> {
    const prefix = shardPrefix(shard);
    const args = wanted.flatMap(({ name, tree, field, shared }) => [name, tree, field, flag(shared)]);
    const reply = await lookupScript.run(this.#redis, `${prefix}tree:${wanted[0]?.tree ?? ''}`, [prefix, ...args]);
    const [rows, meta] = Array.isArray(reply) ? reply : [];
    return { rows: stringsIn(rows), standing: standingFrom(pairsIn(stringsIn(meta))) };
  }

  /** Rows of one shard whose location starts with the prefix; in no order. */
  async atLocation(shard: number, locationPrefix: Bytes): Promise<Entry[]> {
    const prefix = shardPrefix(shard);
    const keys = (await this.#servers(prefix, locationPrefix)).map((server) => `${prefix}server:${server}`);
    const lists = await Promise.all(keys.map((key) => this.#redis.hkeysBuffer(Buffer.from(key, 'latin1'))));
    const trees = new Set(lists.flatMap((list) => stringsIn(replyFrom(list))));
    const entries = await this.trees(shard, [...trees]);
    return entries.filter((entry) => entry.location.startsWith(locationPrefix));
  }

  /** All rows of some trees of a shard; in no order. */
  async trees(shard: number, trees: readonly Bytes[]): Promise<Entry[]> {
    const prefix = shardPrefix(shard);
    const entries: Entry[] = [];
    for (let i = 0; i < trees.length; i += treesAtOnce) {
      const some = trees.slice(i, i + treesAtOnce);
      const reply = await readTreesScript.run(this.#redis, `${prefix}tree:${some[0] ?? ''}`, [prefix, ...some]);
      (Array.isArray(reply) ? reply : []).forEach((rows, index) => {
        const tree = some[index] ?? '';
        for (const [field, packed] of pairsIn(stringsIn(rows))) entries.push(unpackRow(nameIn(tree, field), packed));
      });
    }
    return entries;
  }

  async #servers(prefix: string, locationPrefix: Bytes): Promise<Bytes[]> {
    const mark = locationPrefix.indexOf('!');
    if (mark >= 0) return [locationPrefix.slice(0, mark)];
    const servers = stringsIn(replyFrom(await this.#redis.hkeysBuffer(prefix + keyNames.servers)));
    return servers.filter((server) => server.startsWith(locationPrefix));
  }
}
