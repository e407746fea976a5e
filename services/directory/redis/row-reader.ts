// Reading rows: by name with the directory's standing, by tree, and by the server they are on.
import type { Redis } from 'ioredis';
import type { Concern, Lookup, Standing } from '../directory.ts';
import { isUnder } from '../entry.ts';
import type { Bytes, Entry } from '../entry.ts';
import { readable } from '../../address/bytes.ts';
import { byTree, nameIn, placeOf } from '../tree.ts';
import type { Place, WalkedTree } from '../tree.ts';
import type { ChainWatch } from './chain-watch.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { unpackRow } from './packing.ts';
import { flag, lookupScript, pairsIn, readTreesScript, replyFrom, stringsIn } from './script.ts';
import { standingFrom, weakest } from './standing.ts';

/** How many trees one script call reads: keeps Redis free for others in between. */
export const treesAtOnce = 200;

export interface RowReaderOptions {
  redis: Redis;
  shards: number;
  watch: ChainWatch;
  /** Milliseconds since 1970. */
  clock: () => number;
}

type Named = { name: Bytes } & Place;

/** What one shard says of some names. */
interface ShardAnswer {
  rows: Bytes[];
  concerns: (Concern | undefined)[];
  standing: Standing;
}

export class RowReader {
  readonly #options: RowReaderOptions;
  readonly #redis: Redis;
  readonly #shards: number;

  constructor(options: RowReaderOptions) {
    this.#options = options;
    this.#redis = options.redis;
    this.#shards = options.shards;
  }

  /** Of all shards; a lookup brings only those of its names. */
  async standing(): Promise<Standing> {
    const shards = Array.from({ length: this.#shards }, (_, shard) => this.#ask(shard, []));
    return weakest((await Promise.all(shards)).map(({ standing }) => standing));
  }

  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const begun = this.#options.clock();
    const shards = new Map<number, Named[]>();
    for (const name of names) {
      const place = { name, ...placeOf(name) };
      const shard = shardOf(place.tree, this.#shards);
      shards.set(shard, [...(shards.get(shard) ?? []), place]);
    }
    const found = new Map<Bytes, Entry>();
    const concerns = new Map<Bytes, Concern>();
    const standings = await Promise.all(
      Array.from(shards, async ([shard, wanted]) => {
        const answer = await this.#ask(shard, wanted);
        wanted.forEach(({ name }, at) => {
          const [packed = '', concern] = [answer.rows[at], answer.concerns[at]];
          if (packed !== '') found.set(name, unpackRow(name, packed));
          if (concern) concerns.set(name, concern);
        });
        return answer.standing;
      }),
    );
    const standing = weakest(standings);
    const asked = { entries: names.map((name) => found.get(name)), concerns: names.map((name) => concerns.get(name)) };
    return { ...asked, begun, standing };
  }

  async #ask(shard: number, wanted: readonly Named[]): Promise<ShardAnswer> {
    const { watch, clock } = this.#options;
    const prefix = shardPrefix(shard);
    const before = watch.known(shard);
    const args = wanted.flatMap(({ name, tree, field, shared }) => [name, tree, field, flag(shared)]);
    const key = `${prefix}tree:${wanted[0]?.tree ?? ''}`;
    const reply = await lookupScript.run(this.#redis, key, [prefix, String(clock()), ...args]);
    const [rows, reasons, leases, words] = Array.isArray(reply) ? reply : [];
    const meta = pairsIn(stringsIn(words));
    const standing = standingFrom(meta);
    const head = { seq: Number(meta.get('seq') ?? 0), nonce: meta.get('nonce') ?? '' };
    const doubt = watch.doubtOf(shard, before, standing, head);
    const why = stringsIn(reasons);
    const concerns = stringsIn(leases).map((destination, at) => concernOf(destination, why[at] ?? ''));
    return { rows: stringsIn(rows), concerns, standing: { ...standing, doubt } };
  }

  /** Rows of one shard whose location starts with the prefix; in no order. */
  async atLocation(shard: number, locationPrefix: Bytes): Promise<Entry[]> {
    const prefix = shardPrefix(shard);
    const keys = (await this.#servers(prefix, locationPrefix)).map((server) => `${prefix}server:${server}`);
    const lists = await Promise.all(keys.map((key) => this.#redis.hkeysBuffer(Buffer.from(key, 'latin1'))));
    const trees = new Set(lists.flatMap((list) => stringsIn(replyFrom(list))));
    const entries = await this.trees(shard, [...trees]);
    return entries.filter(({ location }) => isUnder(location, locationPrefix));
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

  /** Of all shards, a page of trees at a time. */
  async *walk(server: Bytes | undefined): AsyncGenerator<WalkedTree> {
    for (let shard = 0; shard < this.#shards; shard += 1) {
      const pages = server === undefined ? treePages(this.#redis, shard) : this.#treesOn(shard, server);
      for await (const page of pages) yield* byTree(await this.trees(shard, page));
    }
  }

  /** The trees of a shard that have rows on a server: the names in one go, which are short. */
  async *#treesOn(shard: number, server: Bytes): AsyncGenerator<Bytes[]> {
    const key = Buffer.from(`${shardPrefix(shard)}server:${server}`, 'latin1');
    const trees = stringsIn(replyFrom(await this.#redis.hkeysBuffer(key)));
    for (let at = 0; at < trees.length; at += treesAtOnce) yield trees.slice(at, at + treesAtOnce);
  }

  /** How many rows of a shard each server has. */
  async counts(shard: number): Promise<Map<Bytes, number>> {
    const key = Buffer.from(shardPrefix(shard) + keyNames.servers, 'latin1');
    const pairs = pairsIn(stringsIn(replyFrom(await this.#redis.callBuffer('HGETALL', [key]))));
    return new Map([...pairs].map(([server, count]) => [server, Number(count)]));
  }

  async #servers(prefix: string, locationPrefix: Bytes): Promise<Bytes[]> {
    const mark = locationPrefix.indexOf('!');
    if (mark >= 0) return [locationPrefix.slice(0, mark)];
    const servers = stringsIn(replyFrom(await this.#redis.hkeysBuffer(prefix + keyNames.servers)));
    return servers.filter((server) => server.startsWith(locationPrefix));
  }
}

/** The index of trees, a page at a time (never SCAN: other keys live in the same Redis). */
export async function* treePages(redis: Redis, shard: number): AsyncGenerator<Bytes[]> {
  const key = shardPrefix(shard) + keyNames.trees;
  let from: string | Buffer = '-';
  for (;;) {
    const page: Buffer[] = await redis.zrangebylexBuffer(key, from, '+', 'LIMIT', 0, treesAtOnce);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page.map((tree) => tree.toString('latin1'));
    from = Buffer.concat([Buffer.from('('), last]);
  }
}

function concernOf(destination: Bytes, reason: string): Concern | undefined {
  if (destination !== '') return { kind: 'lease', text: `under a move lease to ${readable(destination)}` };
  return reason === '' ? undefined : { kind: 'reconciliation', text: reason };
}
