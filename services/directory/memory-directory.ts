// The reference model of the directory: rows in a map, one shard, the rules taken at their word.
import { sortByName } from './order.ts';
import { policyOf } from './rules.ts';
import { answerText, applied, isGone, isPending, ruleOf, settled, situationOf, undoes } from './ruling.ts';
import { placeOf } from './tree.ts';
import type {
  Answer,
  Change,
  Directory,
  Ending,
  Feed,
  FeedListener,
  Lookup,
  Position,
  Snapshot,
  Standing,
  Write,
  Writer,
} from './directory.ts';
import type { Bytes, Entry, Row } from './entry.ts';
import type { Policy } from './rules.ts';

export interface MemoryDirectoryOptions {
  policy?: Policy;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

/** Loses everything with its process: what tests compare the real directory with, and never a server's directory. */
export class MemoryDirectory implements Directory {
  readonly #policy: Policy;
  readonly #clock: () => number;
  readonly #rows = new Map<Bytes, Entry>();
  /** Tombstones of sessions that have ended, until their grace is over. */
  readonly #graves = new Map<Bytes, Entry>();
  readonly #log: Change[] = [];
  readonly #listeners = new Set<FeedListener>();
  #standing: Omit<Standing, 'blank'> = { epoch: 1, heard: [], vouched: false };

  constructor(options: MemoryDirectoryOptions = {}) {
    this.#policy = options.policy ?? policyOf('strict');
    this.#clock = options.clock ?? Date.now;
  }

  write(write: Write, writer: Writer): Promise<Answer> {
    const now = this.#clock();
    const row = this.#rows.get(write.name);
    const cell = this.#policy.table[situationOf(row, write, writer, this.#policy, now)][write.verb];
    const rule = ruleOf(cell, row, write, writer);
    const text = answerText(rule, row, write, writer, now);
    const { row: next, logged } = applied(rule.effect, row, write, writer, now);
    if (logged) this.#change(write.name, row, next, writer.session, now);
    else if (next && row) this.#rows.set(write.name, { ...next, name: write.name, version: row.version });
    const at = { shard: 0, seq: this.#log.length };
    const restored = undoes(rule, write, writer) ? this.#settle(writer.session, 'refused') : [];
    const ring = restored.length > 0 ? 'refused: its deletions are put back' : rule.ring;
    const pending = isPending(next, writer.session);
    return Promise.resolve({ ok: rule.ok, text, at, pending, ...(ring === undefined ? {} : { ring }) });
  }

  end(session: string, how: Ending): Promise<Bytes[]> {
    return Promise.resolve(this.#settle(session, how));
  }

  sweep(_node: string, isLive: (session: string) => boolean): Promise<Bytes[]> {
    const sessions = new Set(Array.from(this.#rows.values(), (row) => row.session ?? ''));
    const over = [...sessions].filter((session) => !isLive(session));
    return Promise.resolve(over.flatMap((session) => this.#settle(session, 'cut')));
  }

  lookup(names: readonly Bytes[]): Promise<Lookup> {
    const entries = names.map((name) => this.#rows.get(name) ?? this.#grave(name));
    return Promise.resolve({ entries, standing: this.#present() });
  }

  list(locationPrefix: Bytes): Promise<Entry[]> {
    return Promise.resolve(this.#sorted((entry) => entry.location.startsWith(locationPrefix)));
  }

  tree(name: Bytes): Promise<Entry[]> {
    const { tree } = placeOf(name);
    return Promise.resolve(this.#sorted((entry) => placeOf(entry.name).tree === tree));
  }

  snapshot(): Promise<Snapshot> {
    return Promise.resolve({ entries: this.#sorted(() => true), at: [this.#log.length] });
  }

  head(): Promise<Position> {
    return Promise.resolve([this.#log.length]);
  }

  follow(from: Position, listener: FeedListener): Feed {
    this.#log.slice(from[0] ?? 0).forEach((change) => {
      listener.change(change);
    });
    this.#listeners.add(listener);
    return {
      reached: () => Promise.resolve(),
      close: () => void this.#listeners.delete(listener),
    };
  }

  standing(): Promise<Standing> {
    return Promise.resolve(this.#present());
  }

  heard(server: Bytes): Promise<void> {
    if (!this.#standing.heard.includes(server)) {
      this.#standing = { ...this.#standing, heard: [...this.#standing.heard, server].sort() };
    }
    return Promise.resolve();
  }

  vouch(): Promise<void> {
    this.#standing = { ...this.#standing, vouched: true };
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  #present(): Standing {
    return { ...this.#standing, blank: this.#log.length === 0 };
  }

  #grave(name: Bytes): Entry | undefined {
    const grave = this.#graves.get(name);
    return grave && isGone(grave, this.#policy.times, this.#clock()) ? undefined : grave;
  }

  /** Names that were put back, in the order of their bytes. */
  #settle(session: string, how: Ending): Bytes[] {
    const now = this.#clock();
    const restored: Bytes[] = [];
    const pending = Array.from(this.#rows.values()).filter((one) => isPending(one, session));
    for (const entry of pending.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { name, version, ...row } = entry;
      const next = settled(row, session, how, now);
      if (next?.state === row.state) this.#rows.set(name, { ...next, name, version });
      else this.#change(name, row, next, session, now);
      if (next === undefined) this.#graves.set(name, { ...entry, ended: now });
      if (next?.state === 'active') restored.push(name);
    }
    return restored;
  }

  #change(name: Bytes, row: Row | undefined, next: Row | undefined, session: string, time: number): void {
    const seq = this.#log.length + 1;
    if (next === undefined) this.#rows.delete(name);
    else this.#rows.set(name, { ...next, name, version: seq });
    const change: Change = {
      ...{ shard: 0, seq, name, from: row?.location ?? '', session, time },
      ...{ state: next?.state ?? 'absent', location: next?.location ?? '', acl: next?.acl ?? '' },
    };
    this.#log.push(change);
    for (const listener of this.#listeners) listener.change(change);
  }

  #sorted(wanted: (entry: Entry) => boolean): Entry[] {
    return sortByName(Array.from(this.#rows.values()).filter(wanted));
  }
}
