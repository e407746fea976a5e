// The change log of the reference model: one shard, all of it kept.
import type { Cause, Change, Feed, FeedListener, Position } from './directory.ts';
import type { Bytes, Row } from './entry.ts';

/** Who makes a change, and by what. */
export interface Mark {
  session: string;
  by: string;
  cause: Cause;
}

type NewChange = Omit<Change, 'shard' | 'seq' | 'nonce'>;

export class MemoryLog {
  readonly #changes: Change[] = [];
  readonly #listeners = new Set<FeedListener>();

  get length(): number {
    return this.#changes.length;
  }

  /** The change gets the next number; gives it. */
  append(change: NewChange): number {
    const seq = this.#changes.length + 1;
    const numbered = { ...change, shard: 0, seq, nonce: '' };
    this.#changes.push(numbered);
    for (const listener of this.#listeners) listener.change(numbered);
    return seq;
  }

  at(): Position {
    return [{ seq: this.#changes.length, nonce: '' }];
  }

  history(name: Bytes | undefined, most: number): Change[] {
    const wanted = this.#changes.filter((change) => name === undefined || change.name === name);
    return wanted.reverse().slice(0, most);
  }

  follow(from: Position, listener: FeedListener): Feed {
    this.#changes.slice(from[0]?.seq ?? 0).forEach((change) => {
      listener.change(change);
    });
    this.#listeners.add(listener);
    return { reached: () => Promise.resolve(), close: () => void this.#listeners.delete(listener) };
  }

  close(): void {
    this.#listeners.clear();
  }
}

/** The row of a name as it was, and as it is after the change. */
export function changeOf(
  name: Bytes,
  row: Row | undefined,
  next: Row | undefined,
  time: number,
  mark: Mark,
): NewChange {
  return {
    ...{ name, from: row?.location ?? '', time, ...mark },
    ...{ state: next?.state ?? 'absent', location: next?.location ?? '', acl: next?.acl ?? '' },
  };
}
