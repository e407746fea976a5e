// A few senders that bring mail to many users in turn, as an MTA does: what is put off is brought again later.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './cyrus-config.ts';
import { Mta } from './lmtp-proxy.ts';

/** What became of a message. */
export interface Brought {
  user: string;
  /** The Message-ID, without its brackets. */
  id: string;
  /** Every reply that it got, in order; `0` where the connection broke before one came. */
  replies: string[];
  /** When it was first brought, and when it was taken, in milliseconds since 1970. */
  since: number;
  taken?: number;
  /** Its connection broke after the final dot: it may have been taken. */
  unclear: boolean;
}

/** What a proxy says of a backend that broke the connection: it may have taken the message before, and not have said so. */
const unknownOutcome = /^451 4\.4\.2 .*connection lost/;

/**
 * Whether a message may be there so many times. Once where it was taken; once more for each time at which nobody can know
 * whether it was, for then an MTA brings it again (RFC 5321 section 4.5.4.1): twice is better than never.
 */
export function isRightCount({ taken, unclear, replies }: Brought, count: number): boolean {
  const unknown = replies.filter((reply) => unknownOutcome.test(reply)).length + (unclear ? 1 : 0);
  const least = taken === undefined ? 0 : 1;
  return count >= least && count <= least + unknown;
}

/** A proxy that is being killed never answers: so long is waited for a reply, in milliseconds. */
const REPLY_BOUND_MS = 60_000;
/** An MTA's queue, in milliseconds. */
const AGAIN_AFTER_MS = 500;

export class MailRound {
  readonly messages: Brought[] = [];
  readonly #door: () => Address;
  readonly #users: readonly string[];
  readonly #pause: number;
  readonly #stop = new AbortController();
  readonly #senders: Promise<void>[];
  readonly #again: Brought[] = [];
  /** Of no other round. */
  readonly #name = `round.${process.pid}.${Date.now()}`;
  #turn = 0;

  /** `pause`: how long each of the senders waits between two messages, in milliseconds. */
  constructor(door: () => Address, users: readonly string[], senders: number, pause: number) {
    this.#door = door;
    this.#users = users;
    this.#pause = pause;
    this.#senders = Array.from({ length: senders }, () => this.#send());
  }

  /** No new ones. Resolves when what was put off is delivered, or `boundMs` milliseconds are over. */
  async stop(boundMs = 60_000): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#senders);
    const until = Date.now() + boundMs;
    while (this.#again.length > 0 && Date.now() < until) {
      await this.#bring(this.#again.splice(0));
      if (this.#again.length > 0) await sleep(AGAIN_AFTER_MS);
    }
  }

  async #send(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const user = this.#users[this.#turn % this.#users.length] ?? '';
      const id = `${this.#name}.${(this.#turn += 1)}@test`;
      const fresh: Brought = { user, id, replies: [], since: Date.now(), unclear: false };
      this.messages.push(fresh);
      const due = this.#again.filter(({ since }) => Date.now() - since > AGAIN_AFTER_MS).slice(0, 20);
      for (const one of due) this.#again.splice(this.#again.indexOf(one), 1);
      await this.#bring([fresh, ...due]);
      await sleep(this.#pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** On a connection of their own, one after another. */
  async #bring(messages: readonly Brought[]): Promise<void> {
    let mta: Mta | undefined;
    for (const message of messages) {
      let isWhole = false;
      try {
        mta ??= await bounded(Mta.greet(this.#door()));
        const reply = await bounded(offer(mta, message, () => (isWhole = true)));
        message.replies.push(reply);
        if (reply.startsWith('250')) message.taken = Date.now();
      } catch {
        message.replies.push('0');
        message.unclear ||= isWhole;
        mta?.socket.destroy();
        mta = undefined;
      }
      const last = message.replies.at(-1) ?? '';
      if (last.startsWith('421')) mta = undefined;
      // What may have been taken is not brought again: it would be there twice, and rightly so.
      if (!message.unclear && /^[04]/.test(last)) this.#again.push(message);
    }
    mta?.socket.destroy();
  }
}

async function offer(mta: Mta, { user, id }: Brought, whole: () => void): Promise<string> {
  for (const line of ['RSET', 'MAIL FROM:<round@example.net>', `RCPT TO:<${user}>`, 'DATA']) {
    const reply = await mta.say(line);
    if (!/^[23]/.test(reply)) return reply;
  }
  whole();
  const [reply = ''] = await mta.body(
    `From: round@example.net\r\nMessage-ID: <${id}>\r\nSubject: round\r\n\r\nsteady\r\n`,
    1,
  );
  return reply;
}

/** Mta waits for ever, and greets a server that is not there for ever too. */
async function bounded<T>(answer: Promise<T>): Promise<T> {
  const given = new AbortController();
  const late = sleep(REPLY_BOUND_MS, undefined, { signal: given.signal }).then(() => {
    throw new Error(`no reply in ${REPLY_BOUND_MS} ms`);
  });
  late.catch(() => undefined);
  return Promise.race([answer, late]).finally(() => {
    given.abort();
  });
}
