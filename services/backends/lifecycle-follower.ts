// Keeps a process' registry in step with what operators say of backends, also while Redis is away, or has lost its data.
import { setTimeout as pause } from 'node:timers/promises';
import type { Word } from './lifecycle.ts';
import type { LifecycleStore } from './lifecycle-store.ts';
import type { Registry } from './registry.ts';

export interface FollowerOptions {
  store: Pick<LifecycleStore, 'newest' | 'all' | 'restore'>;
  registry: Pick<Registry, 'hear' | 'words'>;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** How often one field of Redis is looked at, in milliseconds. */
  every?: number;
}

/** A word is obeyed within a second: so there is time for a look that goes wrong. */
const usually = 400;

export class LifecycleFollower {
  readonly #options: FollowerOptions;
  readonly #closing = new AbortController();
  #newest: string | undefined;
  #heardAt = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** When Redis was heard last, in milliseconds since 1970: what was said since is not known here. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Hears all that was said, and follows from then on. Rejects when Redis does not tell: nobody should deliver before. */
  async begin(): Promise<void> {
    await this.#look();
    this.#running = this.#follow();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    while (!this.#isClosing()) {
      await pause(this.#options.every ?? usually, undefined, { signal, ref: false }).catch(() => undefined);
      // The last word holds. That Redis is away is told by its connections.
      if (!this.#isClosing()) await this.#look().catch(() => undefined);
    }
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #look(): Promise<void> {
    const { store, registry, log } = this.#options;
    const newest = await store.newest();
    if (newest !== this.#newest) {
      const { words, unreadable } = await store.all();
      if (unreadable.length > 0) {
        log.warn(
          { backends: unreadable },
          'lifecycle: what was said of these backends is of another version: not heard',
        );
      }
      const known = registry.words();
      const lost = forgotten(known, words);
      registry.hear(words);
      if (lost.size > 0) {
        const restored = await store.restore(lost);
        log.warn({ backends: [...lost.keys()], restored }, 'lifecycle: Redis had lost what was said of these backends');
      }
      this.#newest = newest;
    }
    this.#heardAt = Date.now();
  }
}

/** What is known here and later than what is there. */
function forgotten(known: ReadonlyMap<string, Word>, there: ReadonlyMap<string, Word>): Map<string, Word> {
  return new Map([...known].filter(([backend, word]) => word.at > (there.get(backend)?.at ?? 0)));
}
