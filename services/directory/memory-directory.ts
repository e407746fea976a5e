// The reference model of the directory: rows in a map, one shard, the rules taken at their word.
import { sortByName } from './order.ts';
import { answerText, applied, policyOf, ruleOf, situationOf } from './rules.ts';
import { placeOf } from './tree.ts';
import type {
  Answer,
  Change,
  Directory,
  Feed,
  FeedListener,
  Lookup,
  Position,
  Snapshot,
  Standing,
  Write,
  Writer,
} from './directory.ts';
import type { Bytes, Entry } from './entry.ts';
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
  readonly #log: Change[] = [];
  readonly #listeners = new Set<FeedListener>();
  #standing: Standing = { epoch: 1, heard: [], vouched: false };

  constructor(options: MemoryDirectoryOptions = {}) {
    this.#policy = options.policy ?? policyOf('strict', 3_600_000);
    this.#clock = options.clock ?? Date.now;
  }

  write(write: Write, writer: Writer): Promise<Answer> {
    const now = this.#clock();
    const row = this.#rows.get(write.name);
    const cell = this.#policy.table[situationOf(row, write, writer, this.#policy, now)][write.verb];
    const rule = ruleOf(cell, row, write, writer);
    const text = answerText(rule, row, write, writer, now);
    const { row: next, logged } = applied(rule.effect, row, write, writer, now);
    const version = logged ? this.#log.length + 1 : (row?.version ?? 0);
    if (next === undefined) this.#rows.delete(write.name);
    else this.#rows.set(write.name, { ...next, name: write.name, version });
    if (logged) {
      this.#append({
        ...{ shard: 0, seq: version, name: write.name, from: row?.location ?? '' },
        ...{ state: next?.state ?? 'absent', location: next?.location ?? '', acl: next?.acl ?? '' },
        ...{ session: writer.session, time: now },
      });
    }
    const at = { shard: 0, seq: this.#log.length };
    return Promise.resolve({ ok: rule.ok, text, at, ...(rule.ring === undefined ? {} : { ring: rule.ring }) });
  }

  lookup(names: readonly Bytes[]): Promise<Lookup> {
    return Promise.resolve({ entries: names.map((name) => this.#rows.get(name)), standing: this.#standing });
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
    return Promise.resolve(this.#standing);
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

  #append(change: Change): void {
    this.#log.push(change);
    for (const listener of this.#listeners) listener.change(change);
  }

  #sorted(wanted: (entry: Entry) => boolean): Entry[] {
    return sortByName(Array.from(this.#rows.values()).filter(wanted));
  }
}
