// A steady flow of mail to some users through several doors at once, and what became of each message.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './cyrus-config.ts';
import { Mta } from './lmtp-proxy.ts';

/** What a message was told last: by RCPT where that refused it, else after its end. */
export interface Delivery {
  door: string;
  recipient: string;
  /** The Message-ID, without its brackets. */
  id: string;
  /** The reply's code; 0 when nobody was there to give one. */
  code: number;
  text: string;
  /** The command that the reply was given to, or what is left to be said: the message. */
  to: string;
  at: Date;
}

/** Where mail is let in, by name; a door's address is asked for at each connection, for it may change. */
export type Doors = Readonly<Record<string, () => Address>>;

const PAUSE_MS = 500;
const REPLY_BOUND_MS = 60_000;

export class MailFlow {
  readonly deliveries: Delivery[] = [];
  readonly #doors: Doors;
  readonly #streams = new Map<string, { stop: AbortController; ended: Promise<unknown> }>();
  #count = 0;

  constructor(doors: Doors) {
    this.#doors = doors;
  }

  get recipients(): string[] {
    return [...this.#streams.keys()];
  }

  /** From now on one message after the other to this recipient, through each door. */
  add(...recipients: string[]): void {
    for (const recipient of recipients) {
      if (this.#streams.has(recipient)) continue;
      const stop = new AbortController();
      const ended = Promise.all(Object.keys(this.#doors).map((door) => this.#stream(door, recipient, stop.signal)));
      this.#streams.set(recipient, { stop, ended });
    }
  }

  /** No more of it; resolves when nothing is on its way. */
  async remove(...recipients: string[]): Promise<void> {
    await Promise.all(
      recipients.map(async (recipient) => {
        const stream = this.#streams.get(recipient);
        this.#streams.delete(recipient);
        stream?.stop.abort();
        await stream?.ended;
      }),
    );
  }

  async stop(): Promise<void> {
    await this.remove(...this.recipients);
  }

  /** The messages that were taken for this recipient. */
  acknowledged(recipient: string): string[] {
    const taken = this.deliveries.filter((delivery) => delivery.recipient === recipient && delivery.code === 250);
    return taken.map(({ id }) => id);
  }

  async #stream(door: string, recipient: string, stop: AbortSignal): Promise<void> {
    let mta: Mta | undefined;
    while (!stop.aborted) {
      const id = `${process.pid}.${(this.#count += 1)}@${door}.test`;
      let reply: string;
      let to = 'LHLO';
      try {
        mta ??= await bounded(Mta.greet(this.#address(door)));
        [to, reply] = await bounded(deliver(mta, recipient, id));
      } catch (error) {
        reply = `0 ${(error as Error).message}`;
      }
      // 421 is followed by the end of the connection; after nothing it is not known what the next reply belongs to.
      if (/^(0|421)/.test(reply)) {
        mta?.socket.destroy();
        mta = undefined;
      }
      this.deliveries.push({
        door,
        recipient,
        id,
        code: Number(/^\d+/.exec(reply)?.[0]),
        text: reply,
        to,
        at: new Date(),
      });
      await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => undefined);
    }
    mta?.socket.destroy();
  }

  #address(door: string): Address {
    const address = this.#doors[door]?.();
    if (address === undefined || address.port === 0 || Number.isNaN(address.port)) throw new Error('nobody listens');
    return address;
  }
}

async function deliver(mta: Mta, recipient: string, id: string): Promise<[to: string, reply: string]> {
  for (const line of ['RSET', 'MAIL FROM:<flow@example.net>', `RCPT TO:<${recipient}>`, 'DATA']) {
    const reply = await mta.say(line);
    if (!/^[23]/.test(reply)) return [line.slice(0, 4), reply];
  }
  const [reply = ''] = await mta.body(
    `From: flow@example.net\r\nMessage-ID: <${id}>\r\nSubject: flow\r\n\r\nsteady\r\n`,
    1,
  );
  return ['message', reply];
}

/** Mta waits for ever, and greets a server that is not there for ever too. */
async function bounded<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no reply in ${REPLY_BOUND_MS} ms`));
    }, REPLY_BOUND_MS);
  });
  return Promise.race([answer, late]).finally(() => {
    clearTimeout(timer);
  });
}
