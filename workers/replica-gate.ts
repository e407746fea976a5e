// While a replica does not answer its jobs wait in line: one look now and then is enough, for all of them.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface GateOptions {
  backend: string;
  /** Undefined when the replica answers, else why it does not. */
  look: (signal: AbortSignal) => Promise<string | undefined>;
  /** From one look to the next, in milliseconds: the first pause, doubled up to the longest. */
  pause: { first: number; longest: number };
  /** Ends the looking. */
  stopped: AbortSignal;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

export class ReplicaGate {
  readonly #options: GateOptions;
  #shut: Promise<void> | undefined;
  /** The next pause. One that answers looks and nothing else does not have its jobs come again ever so soon. */
  #wait: number;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#wait = options.pause.first;
  }

  /** Resolves when the replica is not known to be away; rejects on the signal, with its reason. */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#shut) {
      const waiting = new AbortController();
      try {
        await Promise.race([this.#shut, once(signal, 'abort', { signal: waiting.signal })]);
      } finally {
        waiting.abort();
      }
      signal.throwIfAborted();
    }
  }

  /** The replica has not answered: nobody passes until it does. */
  shut(why: string): void {
    this.#shut ??= this.#looking(why).finally(() => (this.#shut = undefined));
  }

  /** The replica has taken a user: it is well, and not only its answer to a look. */
  well(): void {
    this.#wait = this.#options.pause.first;
  }

  async #looking(first: string): Promise<void> {
    const { backend, look, pause, stopped, log } = this.#options;
    log.warn({ backend, why: first, pause: this.#wait }, 'replication waits: the replica does not answer');
    const since = performance.now();
    for (;;) {
      const wait = this.#wait;
      this.#wait = Math.min(2 * wait, pause.longest);
      if (!(await slept(wait, stopped))) return;
      const why = await look(stopped).catch(String);
      if (why === undefined) {
        log.info({ backend, seconds: Math.round((performance.now() - since) / 1000) }, 'replication goes on');
        return;
      }
    }
  }
}

/** Whether the time is over; false when it was ended before. */
async function slept(ms: number, stopped: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal: stopped }).catch(() => false);
}
