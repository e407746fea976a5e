// The directory in Redis: writes by script, reads from the primary, lists from the indexes, changes from the log.
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { sortByName } from '../order.ts';
import { answerText, isGone, ruleOf, undoes } from '../ruling.ts';
import { placeOf, treeRule } from '../tree.ts';
import { ChangeLog } from './change-log.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { LogTail } from './log-tail.ts';
import { unpackRow } from './packing.ts';
import { RowReader, treesAtOnce } from './row-reader.ts';
import { flag, makeScript, markScript, pairsIn, stringsIn, writeScript } from './script.ts';
import { SessionEnds } from './session-ends.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Script } from './script.ts';
import type {
  Answer,
  Directory,
  Ending,
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

export class RedisDirectory implements Directory {
  readonly #options: RedisDirectoryOptions;
  readonly #redis: Redis;
  readonly #clock: () => number;
  readonly #nonce: () => string;
  readonly #scripts: Record<Verb, Script>;
  readonly #reader: RowReader;
  readonly #ends: SessionEnds;
  readonly #logs: ChangeLog[];
  readonly #tails: LogTail[];

  private constructor(options: RedisDirectoryOptions) {
    this.#options = options;
    this.#redis = options.commands;
    this.#clock = options.clock ?? Date.now;
    this.#nonce = options.nonce ?? (() => randomBytes(9).toString('base64url'));
    this.#reader = new RowReader(this.#redis, options.shards);
    this.#ends = new SessionEnds({
      ...{ redis: this.#redis, shards: options.shards, changeLogLength: options.changeLogLength },
      ...{ tombstoneGrace: options.policy.times.tombstoneGrace, clock: this.#clock, nonce: this.#nonce },
    });
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
    const { policy, changeLogLength, shards } = this.#options;
    const { tree, field, shared } = placeOf(write.name);
    const shard = shardOf(tree, shards);
    const prefix = shardPrefix(shard);
    const now = this.#clock();
    const reply = await this.#scripts[write.verb].run(this.#redis, `${prefix}tree:${tree}`, [
      ...[prefix, tree, field, flag(shared), write.location, write.acl],
      ...[writer.session, writer.server ?? '', flag(writer.admin), flag(writer.push), String(now)],
      ...[limit(policy.times.reservationMaxAge), limit(policy.times.reservationGrace)],
      ...[this.#nonce(), String(changeLogLength), write.name],
    ]);
    const [situation, number, packed, seq, pending] = stringsIn(reply);
    const row = packed ? unpackRow(write.name, packed) : undefined;
    const cell = policy.table[situation as Situation][write.verb];
    const rule = cell[Number(number) - 1] ?? ruleOf(cell, row, write, writer);
    const restored = undoes(rule, write, writer) ? await this.#ends.end(writer.session, 'refused') : [];
    const ring = restored.length > 0 ? 'refused: its deletions are put back' : rule.ring;
    return {
      ...{ ok: rule.ok, text: answerText(rule, row, write, writer, now), at: { shard, seq: Number(seq) } },
      ...{ pending: pending === '1', ...(ring === undefined ? {} : { ring }) },
    };
  }

  end(session: string, how: Ending): Promise<Bytes[]> {
    return this.#ends.end(session, how);
  }

  sweep(node: string, isLive: (session: string) => boolean): Promise<Bytes[]> {
    return this.#ends.sweep(node, isLive);
  }

  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const { entries, standing } = await this.#reader.lookup(names);
    const { times } = this.#options.policy;
    const now = this.#clock();
    return { entries: entries.map((entry) => (entry && isGone(entry, times, now) ? undefined : entry)), standing };
  }

  async list(locationPrefix: Bytes): Promise<Entry[]> {
    if (locationPrefix === '') return (await this.snapshot()).entries;
    const shards = await Promise.all(this.#logs.map((log) => this.#reader.atLocation(log.shard, locationPrefix)));
    return sortByName(shards.flat());
  }

  async tree(name: Bytes): Promise<Entry[]> {
    const { tree } = placeOf(name);
    return sortByName(await this.#reader.trees(shardOf(tree, this.#options.shards), [tree]));
  }

  async snapshot(): Promise<Snapshot> {
    const shards = await Promise.all(
      this.#logs.map((log) =>
        takeSnapshot({
          ...{ redis: this.#redis, log, treesAtOnce },
          readTrees: (trees) => this.#reader.trees(log.shard, trees),
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

  standing(): Promise<Standing> {
    return this.#reader.standing();
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

  /** Notes something as true of each shard's present epoch; nothing is noted where there is none. */
  async #mark(field: Bytes): Promise<void> {
    const marking = this.#logs.map(async ({ shard }) => {
      const prefix = shardPrefix(shard);
      await markScript.run(this.#redis, prefix + keyNames.meta, [prefix, field]);
    });
    await Promise.all(marking);
  }
}

async function makeShard(options: RedisDirectoryOptions, shard: number): Promise<void> {
  const prefix = shardPrefix(shard);
  const args = [prefix, String(options.shards), String(treeRule)];
  const meta = pairsIn(stringsIn(await makeScript.run(options.commands, prefix + keyNames.meta, args)));
  const made = Number(meta.get('shards'));
  if (made !== options.shards) {
    throw new Error(`the directory was made with ${made} shards, but the configuration asks for ${options.shards}`);
  }
  if (meta.get('tree_rule') !== String(treeRule)) {
    throw new Error(`the directory was made under tree rule ${meta.get('tree_rule')}, this program knows ${treeRule}`);
  }
}

/** A time limit as an argument of a script; empty for none. */
function limit(milliseconds: number): string {
  return Number.isFinite(milliseconds) ? String(milliseconds) : '';
}
