// The change log of the reference model: one shard, all of it kept.
import type { Change, Feed, FeedListener, Position } from './directory.ts';
import type { Bytes } from './entry.ts';

export class MemoryLog {
  readonly #changes: Change[] = [];
  readonly #listeners = new Set<FeedListener>();

  get length(): number {
    return this.#changes.length;
  }

  /** The change gets the next number; gives it. */
  append(change: Omit<Change, 'shard' | 'seq' | 'nonce'>): number {
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
