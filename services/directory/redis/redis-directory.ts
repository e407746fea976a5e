// The directory in Redis: writes by script, reads from the primary, lists from the indexes, changes from the log.
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { sortByName } from '../order.ts';
import { answerText, ruleOf } from '../rules.ts';
import { nameIn, placeOf, treeRule, bucketRows } from '../tree.ts';
import { ChangeLog } from './change-log.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { LogTail } from './log-tail.ts';
import { unpackRow } from './packing.ts';
import { lookupScript, makeScript, readTreesScript, replyFrom, stringsIn, writeScript } from './script.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Script } from './script.ts';
import type {
  Answer,
  Directory,
  Feed,
  FeedListener,
  Lookup,
  Position,
  Snapshot,
  Standing,
  Verb,
  Write,
  Writer,
} from '../directory.ts';
import type { Bytes, Entry } from '../entry.ts';
import type { Policy, Situation } from '../rules.ts';

export interface RedisDirectoryOptions {
  /** Ready for commands (services/redis/connection.ts); closed with the directory. */
  commands: Redis;
  /** Makes one connection for a blocking reader. */
  blocking: () => Promise<Redis>;
  policy: Policy;
  /** How many shards to make; a directory that was made with another number is refused. */
  shards: number;
  /** How many changes each shard's log keeps, about. */
  changeLogLength: number;
  /** Told of failures that are retried. */
  onError: (error: Error) => void;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** A fresh nonce for each change. */
  nonce?: () => string;
}

/** How many trees one script call reads: keeps Redis free for others in between. */
const treesAtOnce = 200;

export class RedisDirectory implements Directory {
  readonly #options: RedisDirectoryOptions;
  readonly #redis: Redis;
  readonly #clock: () => number;
  readonly #nonce: () => string;
  readonly #scripts: Record<Verb, Script>;
  readonly #logs: ChangeLog[];
  readonly #tails: LogTail[];

  private constructor(options: RedisDirectoryOptions) {
    this.#options = options;
    this.#redis = options.commands;
    this.#clock = options.clock ?? Date.now;
    this.#nonce = options.nonce ?? (() => randomBytes(9).toString('base64url'));
    const script = (verb: Verb) => writeScript(options.policy, verb);
    this.#scripts = {
      ...{ RESERVE: script('RESERVE'), ACTIVATE: script('ACTIVATE') },
      ...{ DEACTIVATE: script('DEACTIVATE'), DELETE: script('DELETE') },
    };
    this.#logs = Array.from({ length: options.shards }, (_, shard) => new ChangeLog(shard));
    this.#tails = this.#logs.map((log) => new LogTail(log, this.#redis, options.blocking, options.onError));
  }

  /** Opens the directory, or makes it where there is none. Throws when it was made in another way than is asked for. */
  static async open(options: RedisDirectoryOptions): Promise<RedisDirectory> {
    try {
      for (let shard = 0; shard < options.shards; shard++) await makeShard(options, shard);
      return new RedisDirectory(options);
    } catch (error) {
      options.commands.disconnect();
      throw error;
    }
  }

  async write(write: Write, writer: Writer): Promise<Answer> {
    const { policy, changeLogLength } = this.#options;
    const { tree, field, shared } = placeOf(write.name);
    const shard = shardOf(tree, this.#options.shards);
    const prefix = shardPrefix(shard);
    const now = this.#clock();
    const maxAge = Number.isFinite(policy.reservationMaxAge) ? String(policy.reservationMaxAge) : '';
    const reply = await this.#scripts[write.verb].run(this.#redis, `${prefix}tree:${tree}`, [
      ...[prefix, tree, field, flag(shared), write.location, write.acl],
      ...[writer.session, writer.server ?? '', flag(writer.admin), flag(writer.push)],
      ...[String(now), maxAge, this.#nonce(), String(changeLogLength), String(bucketRows), write.name],
    ]);
    const [situation, number, packed, seq] = stringsIn(reply);
    const row = packed ? unpackRow(write.name, packed) : undefined;
    const cell = policy.table[situation as Situation][write.verb];
    const rule = cell[Number(number) - 1] ?? ruleOf(cell, row, write, writer);
    const text = answerText(rule, row, write, writer, now);
    const at = { shard, seq: Number(seq) };
    return { ok: rule.ok, text, at, ...(rule.ring === undefined ? {} : { ring: rule.ring }) };
  }

  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const places = names.map((name) => ({ name, ...placeOf(name) }));
    const shards = new Map<number, typeof places>();
    for (const place of places) {
      const shard = shardOf(place.tree, this.#options.shards);
      shards.set(shard, [...(shards.get(shard) ?? []), place]);
    }
    const found = new Map<Bytes, Entry>();
    const standings = await Promise.all(
      Array.from(shards, async ([shard, wanted]) => {
        const prefix = shardPrefix(shard);
        const args = wanted.flatMap(({ tree, field, shared }) => [tree, field, flag(shared)]);
        const reply = await lookupScript.run(this.#redis, `${prefix}tree:${wanted[0]?.tree ?? ''}`, [prefix, ...args]);
        const [rows, meta] = Array.isArray(reply) ? reply : [];
        stringsIn(rows).forEach((packed, index) => {
          const name = wanted[index]?.name ?? '';
          if (packed !== '') found.set(name, unpackRow(name, packed));
        });
        return standingFrom(pairs(stringsIn(meta)));
      }),
    );
    return { entries: names.map((name) => found.get(name)), standing: weakest(standings) };
  }

  async list(locationPrefix: Bytes): Promise<Entry[]> {
    if (locationPrefix === '') return (await this.snapshot()).entries;
    const shards = await Promise.all(this.#logs.map((log) => this.#listShard(log.shard, locationPrefix)));
    return sortByName(shards.flat());
  }

  async tree(name: Bytes): Promise<Entry[]> {
    const { tree } = placeOf(name);
    return sortByName(await this.#readTrees(shardOf(tree, this.#options.shards), [tree]));
  }

  async snapshot(): Promise<Snapshot> {
    const shards = await Promise.all(
      this.#logs.map((log) =>
        takeSnapshot({
          ...{ redis: this.#redis, log, treesAtOnce },
          readTrees: (trees) => this.#readTrees(log.shard, trees),
        }),
      ),
    );
    return { entries: sortByName(shards.flatMap((shard) => shard.entries)), at: shards.map((shard) => shard.seq) };
  }

  async head(): Promise<Position> {
    const heads = await Promise.all(this.#logs.map((log) => log.head(this.#redis)));
    return heads.map((head) => head.seq);
  }

  follow(from: Position, listener: FeedListener): Feed {
    let open = true;
    const subscriptions = this.#tails.map((tail, shard) => {
      const lost = (reason: string) => {
        if (open) listener.lost(reason);
        close();
      };
      const change: FeedListener['change'] = (one) => {
        listener.change(one);
      };
      return { tail, subscriber: tail.subscribe(from[shard] ?? 0, { change, lost }) };
    });
    const close = () => {
      open = false;
      for (const { tail, subscriber } of subscriptions) tail.unsubscribe(subscriber);
    };
    const reached = async (position: Position) => {
      await Promise.all(
        subscriptions.map(({ tail, subscriber }, shard) => tail.reached(subscriber, position[shard] ?? 0)),
      );
    };
    return { reached, close };
  }

  async standing(): Promise<Standing> {
    const metas = await Promise.all(this.#logs.map((log) => this.#redis.hgetallBuffer(this.#meta(log.shard))));
    return weakest(metas.map((meta) => standingFrom(new Map(Object.entries(meta).map(([k, v]) => [k, latin1(v)])))));
  }

  async heard(server: Bytes): Promise<void> {
    await this.#mark(`heard:${server}`);
  }

  async vouch(): Promise<void> {
    await this.#mark('vouched');
  }

  close(): Promise<void> {
    for (const tail of this.#tails) tail.close();
    this.#redis.disconnect();
    return Promise.resolve();
  }

  /** Notes something as true of the present epoch, in every shard. */
  async #mark(field: Bytes): Promise<void> {
    const { epoch } = await this.standing();
    const key = Buffer.from(field, 'latin1');
    await Promise.all(this.#logs.map((log) => this.#redis.hset(this.#meta(log.shard), key, String(epoch))));
  }

  #meta(shard: number): string {
    return shardPrefix(shard) + keyNames.meta;
  }

  async #listShard(shard: number, locationPrefix: Bytes): Promise<Entry[]> {
    const prefix = shardPrefix(shard);
    const mark = locationPrefix.indexOf('!');
    const servers =
      mark >= 0
        ? [locationPrefix.slice(0, mark)]
        : stringsIn(replyFrom(await this.#redis.hkeysBuffer(prefix + keyNames.servers))).filter((server) =>
            server.startsWith(locationPrefix),
          );
    const keys = servers.map((server) => Buffer.from(`${prefix}server:${server}`, 'latin1'));
    const lists = await Promise.all(keys.map((key) => this.#redis.hkeysBuffer(key)));
    const trees = new Set(lists.flatMap((list) => list.map(latin1)));
    const entries = await this.#readTrees(shard, [...trees]);
    return entries.filter((entry) => entry.location.startsWith(locationPrefix));
  }

  async #readTrees(shard: number, trees: readonly Bytes[]): Promise<Entry[]> {
    const prefix = shardPrefix(shard);
    const entries: Entry[] = [];
    for (let i = 0; i < trees.length; i += treesAtOnce) {
      const some = trees.slice(i, i + treesAtOnce);
      const reply = await readTreesScript.run(this.#redis, `${prefix}tree:${some[0] ?? ''}`, [prefix, ...some]);
      (Array.isArray(reply) ? reply : []).forEach((rows, index) => {
        const tree = some[index] ?? '';
        for (const [field, packed] of pairs(stringsIn(rows))) entries.push(unpackRow(nameIn(tree, field), packed));
      });
    }
    return entries;
  }
}

async function makeShard(options: RedisDirectoryOptions, shard: number): Promise<void> {
  const prefix = shardPrefix(shard);
  const args = [prefix, String(options.shards), String(treeRule)];
  const meta = pairs(stringsIn(await makeScript.run(options.commands, prefix + keyNames.meta, args)));
  const made = Number(meta.get('shards'));
  if (made !== options.shards) {
    throw new Error(`the directory was made with ${made} shards, but the configuration asks for ${options.shards}`);
  }
  if (meta.get('tree_rule') !== String(treeRule)) {
    throw new Error(`the directory was made under tree rule ${meta.get('tree_rule')}, this program knows ${treeRule}`);
  }
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

function latin1(value: Buffer): Bytes {
  return value.toString('latin1');
}

function pairs(list: readonly Bytes[]): Map<Bytes, Bytes> {
  const map = new Map<Bytes, Bytes>();
  for (let i = 0; i + 1 < list.length; i += 2) map.set(list[i] ?? '', list[i + 1] ?? '');
  return map;
}

function standingFrom(meta: ReadonlyMap<Bytes, Bytes>): Standing {
  const epoch = meta.get('epoch') ?? '0';
  const heard = [...meta].filter(([key, value]) => key.startsWith('heard:') && value === epoch);
  return {
    epoch: Number(epoch),
    heard: heard.map(([key]) => key.slice(6)).sort(),
    vouched: meta.get('vouched') === epoch,
  };
}

/** What holds in every shard; a shard without a meta (its data are gone) vouches for nothing. */
function weakest(standings: readonly Standing[]): Standing {
  const [first = { epoch: 0, heard: [], vouched: false }, ...rest] = standings;
  return rest.reduce(
    (all, one) => ({
      epoch: Math.min(all.epoch, one.epoch),
      heard: all.heard.filter((server) => one.heard.includes(server)),
      vouched: all.vouched && one.vouched,
    }),
    first,
  );
}
