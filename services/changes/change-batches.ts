// The change log as batches that are read as fast as somebody takes them, whatever the log's own pace.
import type { Change, Directory, Head, Position } from '../directory/directory.ts';

export interface ChangeBatch {
  changes: Change[];
  /** The place of the log after them. */
  at: Position;
}

/** How many changes wait here for whoever takes them; what comes beyond is read a second time: some megabytes. */
const mostWaiting = 20_000;

/**
 * Every change after a position, once and in order within its shard, in batches of `most` at most. Ends when the feed is
 * lost, giving the reason, or on the signal, giving none.
 */
export async function* changeBatches(
  directory: Pick<Directory, 'follow'>,
  from: Position,
  most: number,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch, string | undefined> {
  let at = from;
  for (;;) {
    const waiting = new Waiting(directory, at, signal);
    try {
      for (;;) {
        const changes = waiting.take(most);
        if (changes.length > 0) {
          at = after(at, changes);
          yield { changes, at };
        } else if (signal.aborted) return undefined;
        else if (waiting.full) break;
        else if (waiting.lost !== undefined) return waiting.lost;
        else await waiting.news();
      }
    } finally {
      waiting.close();
    }
  }
}

/** What a feed has given and nobody has taken yet. Once full it takes no more: the rest is for the next feed. */
class Waiting {
  full = false;
  lost: string | undefined;
  readonly #changes: Change[] = [];
  #wake: () => void = () => undefined;
  readonly #signal: AbortSignal;
  readonly #feed: { close(): void };
  readonly #aborted = (): void => {
    this.#wake();
  };

  constructor(directory: Pick<Directory, 'follow'>, from: Position, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#aborted);
    this.#feed = directory.follow(from, {
      change: (change) => {
        if (this.full) return;
        this.#changes.push(change);
        this.full = this.#changes.length >= mostWaiting;
        this.#wake();
      },
      lost: (reason) => {
        this.lost = reason;
        this.#wake();
      },
    });
  }

  take(most: number): Change[] {
    return this.#changes.splice(0, most);
  }

  /** Resolves when there may be something to do; to be asked for in the turn in which there was nothing. */
  news(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#feed.close();
  }
}

function after(position: Position, changes: readonly Change[]): Position {
  const next: Head[] = [...position];
  for (const { shard, seq, nonce } of changes) next[shard] = { seq, nonce };
  return next;
}
