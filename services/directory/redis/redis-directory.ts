// The directory in Redis: writes by script, reads from the primary, lists from the indexes, changes from the log.
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { sortByName } from '../order.ts';
import { isGone } from '../settling.ts';
import { placeOf, type WalkedTree } from '../tree.ts';
import { CaseStore } from './case-store.ts';
import { ChainWatch, type Place } from './chain-watch.ts';
import { ChangeLog } from './change-log.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { LogTail } from './log-tail.ts';
import { makeShard } from './make-shard.ts';
import { NearbyNames } from './nearby.ts';
import { RedisCopies } from './redis-copies.ts';
import { RedisRoutingLeases } from './routing-leases.ts';
import { RowReader } from './row-reader.ts';
import { vouchScript } from './script.ts';
import { SessionEnds } from './session-ends.ts';
import { takeSnapshot } from './snapshot.ts';
import { Writes, type Acknowledgement } from './writes.ts';
import type {
  Answer,
  Change,
  Directory,
  Ending,
  Feed,
  FeedListener,
  Head,
  Lease,
  Lookup,
  Nearby,
  Position,
  Resolution,
  Settlement,
  Snapshot,
  Standing,
  Write,
  Writer,
} from '../directory.ts';
import { wholeServer, type Case, type Caseload } from '../case.ts';
import type { Bytes, Entry } from '../entry.ts';
import type { RoutingLeases } from '../routing-lease.ts';
import type { Policy } from '../rules.ts';

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
  /** What a write waits for before it is acknowledged. Left out: nothing but Redis' own answer. */
  acknowledge?: Acknowledgement;
  /** What an earlier process knew of each shard. */
  remembered?: readonly Place[];
  remember?: (places: readonly Place[]) => void;
  /** Told of each loss of data that this process has seen, after the new epoch has begun. */
  onLoss?: (loss: string) => void;
  /** Told of failures that are retried. */
  onError: (error: Error) => void;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** A fresh nonce for each change. */
  nonce?: () => string;
}

export class RedisDirectory implements Directory {
  readonly routing: RoutingLeases;
  readonly copies: RedisCopies;
  readonly #options: RedisDirectoryOptions;
  readonly #redis: Redis;
  readonly #clock: () => number;
  readonly #watch: ChainWatch;
  readonly #writes: Writes;
  readonly #reader: RowReader;
  readonly #ends: SessionEnds;
  readonly #cases: CaseStore;
  readonly #logs: ChangeLog[];
  readonly #tails: LogTail[];
  readonly #nearby: NearbyNames;

  private constructor(options: RedisDirectoryOptions, watch: ChainWatch) {
    const { policy, shards, changeLogLength, acknowledge } = options;
    const { clock = Date.now, nonce = () => randomBytes(9).toString('base64url') } = options;
    this.#options = options;
    this.#redis = options.commands;
    this.#clock = clock;
    this.#watch = watch;
    this.#reader = new RowReader({ redis: this.#redis, shards, watch, clock });
    const writing = { redis: this.#redis, shards, changeLogLength, clock, nonce };
    this.#ends = new SessionEnds({ ...writing, watch, tombstoneGrace: policy.times.tombstoneGrace });
    this.#writes = new Writes({ ...writing, watch, policy, ends: this.#ends, ...(acknowledge && { acknowledge }) });
    this.#cases = new CaseStore(writing);
    this.#logs = Array.from({ length: shards }, (_, shard) => new ChangeLog(shard));
    this.copies = new RedisCopies(this.#redis, shards, clock);
    this.routing = new RedisRoutingLeases(this.#redis, this.#logs);
    const { tombstoneGrace } = policy.times;
    const [redis, reader, cases, logs] = [this.#redis, this.#reader, this.#cases, this.#logs];
    this.#nearby = new NearbyNames({ redis, reader, cases, logs, tombstoneGrace, clock });
    const { blocking, onError } = options;
    this.#tails = this.#logs.map((log) => {
      const saw = (place: Head): void => {
        watch.saw(log.shard, place);
      };
      return new LogTail({ log, commands: this.#redis, blocking, onError, saw });
    });
  }

  /**
   * Opens the directory, or makes it where there is none. Throws when it was made in another way than is asked for. Where
   * an earlier process remembers more than Redis has, a new epoch begins first.
   */
  static async open(options: RedisDirectoryOptions): Promise<RedisDirectory> {
    const { commands: redis, shards, remembered, remember, onError, onLoss = () => undefined } = options;
    const watch = new ChainWatch({
      ...{ redis, shards, onError, onLoss },
      ...(options.acknowledge && { writes: options.acknowledge.connection }),
      ...(remembered && { remembered }),
      ...(remember && { remember }),
    });
    try {
      if (remembered) await watch.verify();
      for (let shard = 0; shard < shards; shard++) await makeShard(options, shard);
      await watch.begin();
      return new RedisDirectory(options, watch);
    } catch (error) {
      watch.close();
      redis.disconnect();
      options.acknowledge?.connection.disconnect();
      throw error;
    }
  }

  write(write: Write, writer: Writer): Promise<Answer> {
    return this.#writes.write(write, writer);
  }

  end(session: string, how: Ending, by?: Bytes): Promise<Settlement> {
    return this.#ends.end(session, how, by);
  }

  bind(session: string, server: Bytes): Promise<Settlement> {
    return this.#ends.bind(session, server);
  }

  sweep(node: string, isLive: (session: string) => boolean): Promise<Settlement> {
    return this.#ends.sweep(node, isLive);
  }

  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const { entries, ...rest } = await this.#reader.lookup(names);
    const { times } = this.#options.policy;
    const now = this.#clock();
    return { ...rest, entries: entries.map((entry) => (entry && isGone(entry, times, now) ? undefined : entry)) };
  }

  async list(locationPrefix: Bytes): Promise<Entry[]> {
    if (locationPrefix === '') return (await this.snapshot()).entries;
    const shards = await Promise.all(this.#logs.map((log) => this.#reader.atLocation(log.shard, locationPrefix)));
    const server = wholeServer(locationPrefix);
    const rivals = server === undefined ? [] : await this.#cases.rivalsAt(server);
    return sortByName([...shards.flat(), ...rivals]);
  }

  async tree(name: Bytes): Promise<Entry[]> {
    const { tree } = placeOf(name);
    return sortByName(await this.#reader.trees(shardOf(tree, this.#options.shards), [tree]));
  }

  nearby(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby> {
    return this.#nearby.read(domain, isNear);
  }

  trees(server: Bytes | undefined): AsyncIterable<WalkedTree> {
    return this.#reader.walk(server);
  }

  async snapshot(): Promise<Snapshot> {
    const [redis, reader] = [this.#redis, this.#reader];
    const shards = await Promise.all(this.#logs.map((log) => takeSnapshot({ redis, log, reader })));
    return { entries: sortByName(shards.flatMap((shard) => shard.entries)), at: shards.map((shard) => shard.at) };
  }

  head(): Promise<Position> {
    return Promise.all(this.#logs.map((log) => log.head(this.#redis)));
  }

  async history(name: Bytes | undefined, most: number): Promise<Change[]> {
    const wanted = name === undefined ? this.#logs : [this.#logs[shardOf(placeOf(name).tree, this.#options.shards)]];
    const found = await Promise.all(wanted.map(async (log) => (log ? log.history(this.#redis, name, most) : [])));
    return found
      .flat()
      .sort((a, b) => b.time - a.time || b.seq - a.seq)
      .slice(0, most);
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
      return { tail, subscriber: tail.subscribe(from[shard] ?? start, { change, lost }) };
    });
    const close = () => {
      open = false;
      for (const { tail, subscriber } of subscriptions) tail.unsubscribe(subscriber);
    };
    const reached = async (position: Position) => {
      await Promise.all(
        subscriptions.map(({ tail, subscriber }, shard) => tail.reached(subscriber, position[shard]?.seq ?? 0)),
      );
    };
    return { reached, close };
  }

  standing(): Promise<Standing> {
    return this.#reader.standing();
  }

  heard(server: Bytes, required: readonly Bytes[], begun: number): Promise<void> {
    return this.#cases.heard(server, required, begun);
  }

  async servers(): Promise<Map<Bytes, number>> {
    const all = new Map<Bytes, number>();
    for (const { shard } of this.#logs) {
      for (const [server, count] of await this.#reader.counts(shard)) all.set(server, (all.get(server) ?? 0) + count);
    }
    return all;
  }

  distrust(why: string): Promise<void> {
    return this.#watch.distrust(why);
  }

  async vouch(by: string): Promise<void> {
    const vouching = this.#logs.map(async ({ shard }) => {
      const prefix = shardPrefix(shard);
      await vouchScript.run(this.#redis, prefix + keyNames.meta, [prefix, String(this.#clock()), by]);
    });
    await Promise.all(vouching);
  }

  case(name: Bytes): Promise<Case | undefined> {
    return this.#cases.case(name);
  }

  cases(): Promise<Case[]> {
    return this.#cases.cases();
  }

  caseNames(): Promise<Bytes[]> {
    return this.#cases.names();
  }

  caseload(): Promise<Caseload> {
    return this.#cases.caseload();
  }

  resolve(resolution: Resolution): Promise<boolean> {
    return this.#cases.resolve(resolution);
  }

  suspect(name: Bytes, reason: string, session: string): Promise<void> {
    return this.#cases.suspect(name, reason, session);
  }

  note(name: Bytes, waiting: string): Promise<void> {
    return this.#cases.note(name, waiting);
  }

  lease(name: Bytes, lease: Lease, milliseconds: number): Promise<boolean> {
    return this.#cases.lease(name, lease, milliseconds);
  }

  release(name: Bytes, token: string): Promise<void> {
    return this.#cases.release(name, token);
  }

  close(): Promise<void> {
    this.#watch.close();
    for (const tail of this.#tails) tail.close();
    this.#redis.disconnect();
    this.#options.acknowledge?.connection.disconnect();
    return Promise.resolve();
  }
}

/** Before the first change. */
const start: Head = { seq: 0, nonce: '' };
