// What UPDATE sends, read once for all who ask at about the same time, and sent to a few of them at a time.
import type { Directory, Position } from '../directory/directory.ts';
import type { Entry } from '../directory/entry.ts';
import { losable } from './resend.ts';

/** A slave that was away may have names yet that are gone: they are sought among so many of the last changes. */
const goneSought = 10_000;

/** How long a list that was read is kept for further clients, in milliseconds, as long as nothing has changed. */
const sharedFor = 2000;

export interface Listing {
  /** All rows, in Cyrus' order. */
  entries: readonly Entry[];
  /** The rows are those after these changes. */
  at: Position;
  /** Of the rows, those that a slave's merge may lose. */
  lost: readonly Entry[];
  /** The others. */
  kept: readonly Entry[];
}

export interface ListingsOptions {
  directory: Pick<Directory, 'head' | 'snapshot' | 'history'>;
  /** How many clients are sent a list at a time; further ones wait for their turn. */
  atOnce: number;
}

interface Shared {
  listing: Promise<Listing>;
  timer: NodeJS.Timeout;
}

export class Listings {
  readonly #options: ListingsOptions;
  #shared: Shared | undefined;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: ListingsOptions) {
    this.#options = options;
  }

  /** Waits for a turn, and gives it back when `send` is over. */
  async inTurn<T>(send: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#options.atOnce) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#busy += 1;
    try {
      return await send();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }

  /**
   * The rows as they are, or were when somebody else asked, but never older than this question: a client that has been told
   * more already would take what came since for deleted. Rejects when the directory could not be asked.
   */
  async read(): Promise<Listing> {
    const asked = await this.#options.directory.head();
    for (;;) {
      const shared = this.#shared ?? this.#begin();
      const listing = await shared.listing;
      if (asked.every(({ seq }, shard) => (listing.at[shard]?.seq ?? 0) >= seq)) return listing;
      this.#forget(shared);
    }
  }

  #begin(): Shared {
    const listing = this.#read();
    const timer = setTimeout(() => {
      this.#forget(shared);
    }, sharedFor).unref();
    const shared = { listing, timer };
    this.#shared = shared;
    listing.catch(() => {
      this.#forget(shared);
    });
    return shared;
  }

  #forget(shared: Shared): void {
    clearTimeout(shared.timer);
    if (this.#shared === shared) this.#shared = undefined;
  }

  async #read(): Promise<Listing> {
    const { directory } = this.#options;
    const { entries, at } = await directory.snapshot();
    const changes = await directory.history(undefined, goneSought);
    const names = losable([...entries, ...changes].map(({ name }) => name));
    const [lost, kept]: [Entry[], Entry[]] = [[], []];
    for (const entry of entries) (names.has(entry.name) ? lost : kept).push(entry);
    return { entries, at, lost, kept };
  }
}
