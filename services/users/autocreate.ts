// Users made by their first message: who may be, how many, and how long their mail is held for them.
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Ordering } from './ordering.ts';

export interface AutocreateOptions {
  ordering: Pick<Ordering, 'place' | 'read'>;
  /** Whether a first message makes a user of this INBOX. */
  wants: (mailbox: Bytes) => boolean;
  /** How many users a minute are made by this process; further ones wait for their next message. */
  rate: number;
  /** How long mail is held for its mailbox, in milliseconds; 0: it is put off at once. */
  hold: number;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** Milliseconds, of any clock that only goes forward. */
  clock?: () => number;
}

/** So often a user who is being made is looked for, in milliseconds. */
const lookEvery = 50;

const minute = 60_000;

export class Autocreate {
  readonly #options: Required<AutocreateOptions>;
  /** Users that may still be ordered: filled up evenly, to one minute's worth. */
  #left: number;
  #filled: number;

  constructor(options: AutocreateOptions) {
    this.#options = { clock: () => performance.now(), ...options };
    this.#left = options.rate;
    this.#filled = this.#options.clock();
  }

  wants(mailbox: Bytes): boolean {
    return this.#options.wants(mailbox);
  }

  /** Orders the user, and waits for him as long as mail is held; resolves to whether he may be there. Never rejects. */
  async make(mailbox: Bytes): Promise<boolean> {
    const { ordering, hold, log } = this.#options;
    try {
      if (!(await this.#order(mailbox))) return false;
      const until = performance.now() + hold;
      while (performance.now() < until) {
        if ((await ordering.read(mailbox))?.state !== 'open') return true;
        await pause(lookEvery);
      }
    } catch (error) {
      log.warn({ err: error, user: readable(mailbox) }, 'user: first message could not order him');
    }
    return false;
  }

  async #order(mailbox: Bytes): Promise<boolean> {
    const { ordering, log } = this.#options;
    if ((await ordering.read(mailbox))?.state === 'open') return true;
    if (!this.#takes()) {
      log.warn({ user: readable(mailbox) }, 'user: not made by his first message: too many were in this minute');
      return false;
    }
    await ordering.place(mailbox, { is: 'create' }, 'first message');
    log.info({ user: readable(mailbox) }, 'user: ordered by his first message');
    return true;
  }

  #takes(): boolean {
    const { rate, clock } = this.#options;
    const now = clock();
    this.#left = Math.min(rate, this.#left + ((now - this.#filled) * rate) / minute);
    this.#filled = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
