// Rows from memory instead of Redis: coherent by the change log, and for a bounded time good without it.
import type { Change, Directory, Feed, Lookup, Nearby, Position, Standing } from './directory.ts';
import type { Bytes, Entry } from './entry.ts';
import { serverOf } from './entry.ts';
import { DirectorySilent, inTime, type RoutingDirectory } from './patience.ts';
import type { RoutingLeases } from './routing-lease.ts';
import { RowMemory } from './row-memory.ts';
import { placeOf } from './tree.ts';

/** Times are in milliseconds. */
export interface NearCacheOptions {
  directory: Pick<Directory, 'lookup' | 'nearby' | 'follow' | 'head'>;
  leases: RoutingLeases;
  /** This process; never used again for another one. */
  reader: string;
  /** The most rows that are remembered. */
  rows: number;
  /** How long a routing lease holds, and how often it is renewed. */
  lease: number;
  renewal: number;
  /** How long without a lease a row may be gone by, where the directory does not answer. */
  maxStale: number;
  /** How long the directory may be silent before it counts as away. */
  patience: number;
  /** Whether a server may move from host to host: without a lease nothing that is remembered is sent there. */
  mayMove: (server: Bytes) => boolean;
  /** Told when the directory goes away, and when it is back. */
  onState: (state: NearCacheState) => void;
  /** Told of each lookup that is answered. */
  onAnswer: (source: AnswerSource) => void;
  /** Milliseconds of a clock that is never set; goes on while the process is stopped. */
  clock?: () => number;
}

/** Where an answer came from: memory, memory without a lease, or the directory itself. */
export type AnswerSource = 'memory' | 'stale' | 'directory';

/**
 * `following`: a lease holds. `asking`: none does, and the directory answers. `away`: it does not, since so many
 * milliseconds; what is remembered is good for so many more.
 */
export type NearCacheState =
  { is: 'following' | 'asking' } | { is: 'away'; reason: string; since: number; left: number };

/** While the directory is away it is asked again so often, in milliseconds. */
const probing = 500;

/** A question to the directory that is under way, and the trees that have changed since it was asked. */
type Asking = Set<Bytes>;

export class NearCache implements RoutingDirectory {
  readonly #options: NearCacheOptions;
  readonly #clock: () => number;
  readonly #rows: RowMemory;
  readonly #asking = new Set<Asking>();
  /** Those who wait for a change, by tree. */
  readonly #waiting = new Map<Bytes, Set<() => void>>();
  #feed: Feed | undefined;
  /** Every change up to here is seen in what is remembered. */
  #seen: number[] = [];
  /** Until when the lease holds, and until when it was certain that nothing newer was there. */
  #holds = -Infinity;
  #coherent = -Infinity;
  #away: { reason: string; since: number } | undefined;
  #renewing: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #standing: Standing | undefined;
  #closed = false;

  constructor(options: NearCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#rows = new RowMemory(options.rows);
  }

  /** Takes the first lease. Never rejects: without one, the directory itself is asked. */
  async begin(): Promise<void> {
    await this.#renew();
  }

  /** As the directory's own. Rejects at once while that is away and the names are not remembered. */
  async lookup(names: readonly Bytes[]): Promise<Lookup> {
    const known = this.remembered(names);
    if (known) return known;
    if (this.#away) return this.#stale(names, this.#away.reason);
    try {
      return await this.#ask(names);
    } catch (error) {
      this.#goAway((error as Error).message);
      return this.#stale(names, (error as Error).message);
    }
  }

  /** As the directory's own, from nowhere else: for what must not rest on a memory. Rejects at once while it is away. */
  async fresh(names: readonly Bytes[]): Promise<Lookup> {
    if (this.#away) throw new DirectorySilent(this.#away.reason);
    try {
      return await this.#ask(names);
    } catch (error) {
      this.#goAway((error as Error).message);
      throw error;
    }
  }

  /** As the directory's own. It may take long in a large directory, so that to be late is no sign of its being away. */
  nearby(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby> {
    if (this.#away) return Promise.reject(new DirectorySilent(this.#away.reason));
    return inTime(this.#options.directory.nearby(domain, isNear), this.#options.patience);
  }

  remembered(names: readonly Bytes[]): Lookup | undefined {
    return this.#clock() < this.#holds ? this.#remembered(names, 'memory', () => true) : undefined;
  }

  known(name: Bytes): Entry | undefined {
    return this.#clock() < this.#holds ? this.#rows.get(name) : undefined;
  }

  changed(name: Bytes, within: number): Promise<void> {
    const { tree } = placeOf(name);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(tree) ?? new Set();
      const wake = () => {
        clearTimeout(timer);
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(tree);
        resolve();
      };
      const timer = setTimeout(wake, within);
      this.#waiting.set(tree, waiting.add(wake));
    });
  }

  get state(): NearCacheState {
    const now = this.#clock();
    if (this.#away) {
      const { reason, since } = this.#away;
      const left = Math.max(0, this.#holds - now, this.#coherent + this.#options.maxStale - now);
      return { is: 'away', reason, since: now - since, left: this.#rows.size === 0 ? 0 : left };
    }
    return { is: now < this.#holds ? 'following' : 'asking' };
  }

  get rows(): number {
    return this.#rows.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#feed?.close();
    this.#rows.clear();
    this.#holds = -Infinity;
    await inTime(this.#options.leases.end(this.#options.reader), this.#options.patience).catch(() => undefined);
  }

  /** All of the names from memory, or nothing: what is not remembered has to be asked for anyway. */
  #remembered(names: readonly Bytes[], source: AnswerSource, may: (entry: Entry) => boolean): Lookup | undefined {
    const standing = this.#standing;
    if (!standing) return undefined;
    const entries: Entry[] = [];
    for (const name of names) {
      const entry = this.#rows.get(name);
      if (entry === undefined || !may(entry)) return undefined;
      entries.push(entry);
    }
    this.#options.onAnswer(source);
    return { entries, concerns: names.map(() => undefined), begun: Date.now(), standing };
  }

  /** Without a lease: what may be gone by for a while, if it is remembered. */
  #stale(names: readonly Bytes[], reason: string): Lookup {
    const { maxStale, mayMove } = this.#options;
    const fresh = this.#clock() - this.#coherent <= maxStale;
    const known = fresh && this.#remembered(names, 'stale', ({ location }) => !mayMove(serverOf(location)));
    if (known) return known;
    throw new DirectorySilent(reason);
  }

  async #ask(names: readonly Bytes[]): Promise<Lookup> {
    const { directory, patience } = this.#options;
    const feed = this.#feed;
    const changed: Asking = new Set();
    this.#asking.add(changed);
    try {
      const lookup = await inTime(directory.lookup(names), patience);
      this.#options.onAnswer('directory');
      this.#standing = lookup.standing;
      // Not followed all the time: a change may have been missed. In doubt: Redis may not be the one that was followed.
      if (feed === undefined || feed !== this.#feed || lookup.standing.doubt !== undefined) return lookup;
      lookup.entries.forEach((entry, at) => {
        if (entry?.state !== 'active' || lookup.concerns[at] !== undefined) return;
        if (!changed.has(placeOf(entry.name).tree)) this.#rows.keep(entry);
      });
      return lookup;
    } finally {
      this.#asking.delete(changed);
    }
  }

  readonly #changed = ({ shard, seq, name, cause }: Change): void => {
    this.#seen[shard] = seq;
    const { tree } = placeOf(name);
    for (const changed of this.#asking) changed.add(tree);
    if (cause === 'lease') this.#rows.forgetTree(tree);
    else this.#rows.forget(name);
    for (const wake of [...(this.#waiting.get(tree) ?? [])]) wake();
    if (cause !== 'lease') return;
    // Whoever has taken it waits to hear that this was seen.
    void this.#renew();
  };

  readonly #lost = (): void => {
    this.#feed = undefined;
    this.#holds = -Infinity;
    this.#rows.clear();
    if (!this.#closed) void this.#renew();
  };

  /** One renewal at a time; what is asked for meanwhile is one more after it. Never rejects. */
  #renew(): Promise<void> {
    this.#again = this.#renewing !== undefined;
    this.#renewing ??= this.#renewed().finally(() => {
      this.#renewing = undefined;
      clearTimeout(this.#timer);
      if (this.#closed) return;
      const pause = this.#again ? 0 : this.#away ? probing : this.#options.renewal;
      this.#again = false;
      this.#timer = setTimeout(() => void this.#renew(), pause).unref();
    });
    return this.#renewing;
  }

  async #renewed(): Promise<void> {
    const { leases, reader, lease, patience } = this.#options;
    // The lease counts from before it was asked for: it is never longer here than where others look.
    const asked = this.#clock();
    try {
      const feed = (this.#feed ??= await this.#follow());
      const end = await inTime(leases.renew({ reader, seen: this.#seen }, lease), patience);
      this.#comeBack();
      if (await this.#reached(feed, end)) [this.#holds, this.#coherent] = [asked + lease, asked];
    } catch (error) {
      this.#goAway((error as Error).message);
    }
  }

  /** Whether all changes up to there have been seen. One that takes longer than the lease would last gives none. */
  async #reached(feed: Feed, end: Position): Promise<boolean> {
    try {
      await inTime(feed.reached(end), this.#options.lease);
      return feed === this.#feed;
    } catch {
      return false;
    }
  }

  async #follow(): Promise<Feed> {
    const { directory, patience } = this.#options;
    // The bound is around the question alone: what was given up must not come to follow the log later.
    const from: Position = await inTime(directory.head(), patience);
    if (this.#closed) throw new DirectorySilent('closed');
    // What was remembered before is not known to be coherent with it.
    this.#rows.clear();
    this.#seen = from.map(({ seq }) => seq);
    return directory.follow(from, { change: this.#changed, lost: this.#lost });
  }

  #goAway(reason: string): void {
    if (this.#closed) return;
    const first = this.#away === undefined;
    this.#away = { reason, since: this.#away?.since ?? this.#clock() };
    if (!first) return;
    this.#options.onState(this.state);
    void this.#renew();
  }

  #comeBack(): void {
    if (!this.#away) return;
    this.#away = undefined;
    this.#options.onState(this.state);
  }
}
