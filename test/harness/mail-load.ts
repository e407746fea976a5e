// A load of messages as MTAs bring it: each with an id of its own, brought again, the very same bytes, until each recipient has its end.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../../services/placement/chance.ts';
import { seededChance } from '../../services/placement/chance.ts';
import type { Address } from '../../services/backends/registry.ts';
import { Mta } from './lmtp-proxy.ts';

/** One RCPT of one attempt, and the last that was heard about it: 0 for nothing. */
export interface Slot {
  rcpt: string;
  code: number;
  text: string;
  /** Its RCPT was answered 2xx. */
  accepted: boolean;
}

/** Times in milliseconds since 1970. */
export interface Attempt {
  proxy: string;
  /** The name of the MTA in LHLO: no session has that of another. */
  session: string;
  begun: number;
  ended: number;
  slots: Slot[];
}

export interface Message {
  id: string;
  size: number;
  hash: string;
  /** As they were given first, one that is given twice twice. */
  rcpts: string[];
  attempts: Attempt[];
  /** Without a final answer yet. */
  open: string[];
  /** Not brought again before. */
  notBefore: number;
}

export interface LoadOptions {
  seed: number;
  sessions: number;
  /** Where a proxy listens now; undefined: nowhere. */
  doors: Readonly<Record<string, () => Address | undefined>>;
  /** Whom a message may go to: those that there are, and those that there are not. */
  known: () => readonly string[];
  unknown: () => readonly string[];
  /** The longest that any answer may take, in milliseconds. */
  bound: number;
  /** The longest pause of a session between two messages, in milliseconds. */
  pause: number;
}

const domain = 'chaos.test';
/** Of 64 octets; every line begins with a dot, which is stuffed. */
const line = `..${'the quick brown fox jumps over the lazy dog '.repeat(2).slice(0, 60)}\r\n`;

class Unanswered extends Error {}

export class MailLoad {
  readonly messages: Message[] = [];
  /** Commands that had no answer within the bound. */
  readonly unanswered: string[] = [];
  /** The longest that an answer took, in milliseconds. */
  longest = 0;
  /** Connections that were begun, and those of them that ended otherwise than by QUIT. */
  readonly sessions = { begun: 0, broken: 0 };
  readonly #options: LoadOptions;
  readonly #chance: Chance;
  readonly #waiting: Message[] = [];
  #makes = true;
  #ends = false;
  readonly #running: Promise<unknown>;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#chance = seededChance(options.seed);
    this.#running = Promise.all(Array.from({ length: options.sessions }, () => this.#bring()));
  }

  /** Messages that some recipient of has no final answer yet. */
  get open(): number {
    return this.messages.filter(({ open }) => open.length > 0).length;
  }

  /** No new messages from now on. */
  settle(): void {
    this.#makes = false;
  }

  async stop(): Promise<void> {
    this.#ends = true;
    await this.#running;
  }

  #below(number: number): number {
    return Math.floor(this.#chance() * number);
  }

  #one<T>(of: readonly T[]): T {
    const found = of[this.#below(of.length)];
    if (found === undefined) throw new Error('there is none');
    return found;
  }

  /** One of the MTA's processes: sessions one after the other, to any of the proxies. */
  async #bring(): Promise<void> {
    while (!this.#ends) {
      const proxy = this.#one(Object.keys(this.#options.doors));
      const address = this.#options.doors[proxy]?.();
      if (address === undefined) await sleep(100);
      else await this.#session(proxy, address).catch((error: unknown) => this.#broken(error));
    }
  }

  async #broken(error: unknown): Promise<void> {
    this.sessions.broken += 1;
    if (error instanceof Unanswered) this.unanswered.push(error.message);
    await sleep(100 + this.#below(300));
  }

  async #session(proxy: string, address: Address): Promise<void> {
    const session = `s${(this.sessions.begun += 1)}.${proxy}`;
    const mta = await this.#answered(`${session} LHLO`, Mta.greet(address, session));
    try {
      const many = this.#chance() < 0.3 ? 1 : 1 + this.#below(30);
      for (let count = 0; count < many && !this.#ends; count += 1) {
        const message = this.#next();
        if (message?.attempts.some((attempt) => attempt.session === session)) {
          this.#waiting.push(message);
          break;
        }
        if (message) await this.#attempt(mta, message, { proxy, session });
        await sleep(this.#below(this.#options.pause));
      }
      mta.socket.end('QUIT\r\n');
      await this.#answered(`${session} QUIT`, mta.reply());
    } finally {
      mta.socket.destroy();
    }
  }

  /** What is due again; else a new one. */
  #next(): Message | undefined {
    const now = Date.now();
    const due = this.#waiting.findIndex(({ notBefore }) => notBefore <= now);
    if (due >= 0) return this.#waiting.splice(due, 1)[0];
    return this.#makes ? this.#make() : undefined;
  }

  #make(): Message {
    const { known, unknown } = this.#options;
    const rcpts = Array.from({ length: this.#chance() < 0.7 ? 1 : 2 + this.#below(2) }, () => this.#one(known()));
    if (this.#chance() < 0.05) rcpts.push(rcpts[0] ?? '');
    if (this.#chance() < 0.08) rcpts[this.#below(rcpts.length)] = this.#one(unknown());
    const kind = this.#chance();
    const size = 1024 + this.#below(kind < 0.7 ? 1024 : kind < 0.9 ? 19_000 : kind < 0.98 ? 199_000 : 1_047_552);
    const id = `${this.messages.length + 1}.${this.#options.seed}@${domain}`;
    const hash = createHash('sha1').update(bodyOf(id, size)).digest('hex');
    const message = { id, size, hash, rcpts, open: [...rcpts], attempts: [], notBefore: 0 };
    this.messages.push(message);
    return message;
  }

  /** One attempt, and what is to be brought again. Rejects when the session is over. */
  async #attempt(mta: Mta, message: Message, by: { proxy: string; session: string }): Promise<void> {
    const slots = message.open.map((rcpt) => ({ rcpt, code: 0, text: '', accepted: false }));
    const attempt: Attempt = { ...by, slots, begun: Date.now(), ended: 0 };
    message.attempts.push(attempt);
    try {
      await this.#conversation(mta, message, attempt);
    } finally {
      attempt.ended = Date.now();
      message.open = slots.filter(({ code }) => code < 200 || (code >= 400 && code < 500)).map(({ rcpt }) => rcpt);
      message.notBefore = attempt.ended + 1000 + this.#below(1500);
      if (message.open.length > 0) this.#waiting.push(message);
    }
  }

  async #conversation(mta: Mta, message: Message, { session, slots }: Attempt): Promise<void> {
    const hear = (what: string): Promise<string> => this.#answered(`${session} ${what} of ${message.id}`, mta.reply());
    const pipelined = this.#chance() < 0.6;
    const lines = [`MAIL FROM:<load@${domain}>`, ...slots.map(({ rcpt }) => `RCPT TO:<${rcpt}>`), 'DATA'];
    if (pipelined) mta.socket.write(lines.map((one) => `${one}\r\n`).join(''));
    let accepted = 0;
    for (const [index, one] of lines.entries()) {
      if (one === 'DATA' && accepted === 0 && !pipelined) {
        mta.socket.write('RSET\r\n');
        over(await hear('RSET'));
        return;
      }
      if (!pipelined) mta.socket.write(`${one}\r\n`);
      const reply = await hear(one);
      const slot = slots[index - 1];
      if (one !== 'DATA' && slot) accepted += Number(note(slot, reply));
      over(reply);
    }
    // A body for nobody: RFC 2920 section 3.1 has the server refuse DATA then.
    if (accepted > 0) await this.#body(mta, message, slots, hear);
  }

  async #body(mta: Mta, message: Message, slots: Slot[], hear: (what: string) => Promise<string>): Promise<void> {
    const body = bodyOf(message.id, message.size);
    const whim = this.#chance();
    if (whim < 0.015) {
      // At a line's end, where a dot would end it.
      mta.socket.write(body.subarray(0, body.lastIndexOf('\n', this.#below(body.length)) + 1));
      await sleep(this.#below(100));
      throw new Error('the MTA hangs up in the message');
    }
    mta.socket.write(body);
    mta.socket.write('.\r\n');
    if (whim < 0.03) {
      await sleep(this.#below(200));
      throw new Error('the MTA hangs up before it has heard what became of the message');
    }
    for (const slot of slots.filter(({ accepted }) => accepted)) {
      const reply = await hear(`the message for ${slot.rcpt}`);
      over(reply);
      Object.assign(slot, { code: Number(reply.slice(0, 3)), text: reply });
    }
  }

  /** Within the bound. */
  async #answered<T>(what: string, answer: Promise<T>): Promise<T> {
    const { bound } = this.#options;
    const begun = Date.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Unanswered(`${what}: no answer in ${bound} ms, at ${new Date().toISOString()}`));
      }, bound);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
      this.longest = Math.max(this.longest, Date.now() - begun);
    }
  }
}

/** The reply to RCPT: whether it is accepted; then the answer that counts is the one to the message. */
function note(slot: Slot, reply: string): boolean {
  slot.accepted = reply.startsWith('2');
  if (!slot.accepted && !reply.startsWith('421')) slot.code = Number(reply.slice(0, 3));
  slot.text = reply;
  return slot.accepted;
}

/** 421 is about the session: no more is heard of what is left. */
function over(reply: string): void {
  if (reply.startsWith('421')) throw new Error(reply);
}

/** The same for the same id, and of about that size. */
function bodyOf(id: string, size: number): Buffer {
  const head = `Message-ID: <${id}>\r\nSubject: chaos\r\n\r\n`;
  return Buffer.concat([
    Buffer.from(head),
    Buffer.alloc(Math.max(1, Math.round(size / line.length)) * line.length, line),
  ]);
}
