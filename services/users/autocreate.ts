// Users made by their first message: who may be, how many, and how long their mail is held for them.
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Hold } from '../lmtp/router.ts';
import type { Ordering } from './ordering.ts';

export interface AutocreateOptions {
  ordering: Pick<Ordering, 'place' | 'read'>;
  /** Whether a first message makes a user of this INBOX. */
  wants: (mailbox: Bytes) => boolean;
  /** How many users a minute are made by this process; further ones wait for their next message. */
  rate: number;
  /** How long one message is held for the mailboxes of its recipients in all, in milliseconds; 0: it is put off at once. */
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

  /**
   * Orders the user, and waits for him while the message may still be held; resolves to whether he may be there. Where it
   * has been held long enough for recipients before him, he is ordered all the same. Never rejects.
   */
  async make(mailbox: Bytes, hold: Hold): Promise<boolean> {
    if (hold.signal.aborted || hold.failed) return false;
    try {
      if (!(await this.#order(mailbox))) return false;
      hold.until ??= performance.now() + this.#options.hold;
      return await this.#awaited(mailbox, hold.until, hold.signal);
    } catch (error) {
      hold.failed = true;
      this.#options.log.warn({ err: error, user: readable(mailbox) }, 'user: first message could not order him');
      return false;
    }
  }

  async #awaited(mailbox: Bytes, until: number, signal: AbortSignal): Promise<boolean> {
    const { ordering } = this.#options;
    while (performance.now() < until && !signal.aborted) {
      if ((await ordering.read(mailbox))?.state !== 'open') return true;
      // A client that goes ends the wait, and the loop.
      await pause(lookEvery, undefined, { signal }).catch(() => undefined);
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
