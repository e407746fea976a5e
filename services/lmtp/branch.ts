// One message on its way to one backend: its share of the recipients, and its own pace and end.
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure } from './backend-failure.ts';
import type { BackendPools, Loan } from './backend-pool.ts';
import type { BackendSession, EnvelopeReplies } from './backend-session.ts';
import type { Sender } from './message-handler.ts';
import { localError } from './reply-codes.ts';
import { isAnswer, isIntermediate, isPositive, type Reply } from './reply.ts';
import type { BackendSettings } from './settings.ts';
import { recipientReply, senderReply, sessionReply } from './status-map.ts';

/** One recipient for this backend. */
export interface Stop {
  /** The number of its slot in the delivery. */
  slot: number;
  /** The forward-path, without its angle brackets. */
  path: Bytes;
  ignoreQuota: boolean;
}

export interface BranchOptions {
  server: Bytes;
  stops: readonly Stop[];
  sender: Sender;
  /** What goes before the message. */
  trace: Buffer;
  pools: BackendPools;
  settings: BackendSettings;
  /** Called once for each stop, unless the branch is aborted. */
  settle: (slot: number, reply: Reply) => void;
}

/** When what happened, in the milliseconds of `performance.now()`; 0 for what did not. */
export interface BranchTimes {
  begun: number;
  connected: number;
  sent: number;
  answered: number;
}

const finalDot = Buffer.from('.\r\n');

export class Branch {
  readonly times: BranchTimes = { begun: performance.now(), connected: 0, sent: 0, answered: 0 };
  /** Resolves when all stops are settled, or the branch was aborted; never rejects. */
  readonly done: Promise<void>;
  readonly #options: BranchOptions;
  readonly #open: Set<number>;
  /** What could not be sent yet; undefined once the backend takes the message, or never will. */
  #queue: Buffer[] | undefined;
  #queued = 0;
  #ended = false;
  #aborted = false;
  #loan: Loan | undefined;
  #room: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BranchOptions) {
    this.#options = options;
    this.#open = new Set(options.stops.map((stop) => stop.slot));
    this.#queue = [options.trace];
    this.done = this.#deliver();
  }

  get server(): Bytes {
    return this.#options.server;
  }

  /** The whole of it, in order. */
  async #deliver(): Promise<void> {
    try {
      const accepted = await this.#offer();
      if (accepted.length > 0) await this.#transfer(accepted);
    } catch (error) {
      const reply = error instanceof BackendFailure ? error.reply : localError;
      for (const slot of [...this.#open]) this.#settle(slot, reply);
    } finally {
      clearTimeout(this.#timer);
      this.#queue = undefined;
      this.#makeRoom();
      if (this.#loan !== undefined) this.#options.pools.giveBack(this.#loan);
      // From here on the session may serve another message: nothing of this one may reach it.
      this.#loan = undefined;
      this.times.answered = performance.now();
    }
  }

  /** MAIL, RCPT and DATA; resolves to the stops that were accepted, the backend waiting for the message then. */
  async #offer(): Promise<Stop[]> {
    const { server, stops } = this.#options;
    const { mail, rcpts, data } = await this.#envelope();
    if (!isPositive(mail)) {
      for (const { slot } of stops) this.#settle(slot, senderReply(mail, server));
    }
    const accepted = stops.filter((stop, index) => {
      const said = rcpts[index];
      if (said === undefined || !this.#open.has(stop.slot)) return false;
      if (!isPositive(said)) this.#settle(stop.slot, recipientReply(said, server));
      return isPositive(said);
    });
    if (data !== undefined && isIntermediate(data)) {
      // RFC 2033 section 4.2 forbids a 354 without recipients; a dot would not undo it.
      if (accepted.length === 0) this.#loan?.session.fail('354 without a recipient');
      return accepted;
    }
    for (const { slot } of accepted) this.#settle(slot, sessionReply(data ?? mail, server));
    return [];
  }

  /** On a kept connection that turns out to be gone, once more on a new one: no byte of the message was sent yet. */
  async #envelope(): Promise<EnvelopeReplies> {
    const { server, pools, settings } = this.#options;
    for (;;) {
      const loan = await pools.borrow(server);
      this.#loan = loan;
      if (this.#aborted) throw new BackendFailure(localError);
      this.times.connected = performance.now();
      this.#arm(settings.envelope_timeout, 'no answer to MAIL, RCPT and DATA in time');
      try {
        return await loan.session.envelope(this.#mail(loan.session), this.#rcpts(loan.session));
      } catch (error) {
        if (!loan.used || !(error instanceof BackendFailure && error.gone)) throw error;
        this.#loan = undefined;
        pools.giveBack(loan);
        pools.dropIdle(server);
      } finally {
        clearTimeout(this.#timer);
      }
    }
  }

  #mail(session: BackendSession): Bytes {
    const { sender, trace } = this.#options;
    const words = [`MAIL FROM:<${sender.path.raw}>`];
    if (sender.size !== undefined && session.offers('SIZE')) words.push(`SIZE=${sender.size + trace.length}`);
    if (sender.body !== undefined && session.offers('8BITMIME')) words.push(`BODY=${sender.body}`);
    // As Cyrus' proxy: who submitted the message, or that nobody vouches for it.
    if (session.offers('AUTH')) words.push(`AUTH=${sender.auth ?? '<>'}`);
    return words.join(' ');
  }

  #rcpts(session: BackendSession): Bytes[] {
    const pass = session.offers('IGNOREQUOTA');
    return this.#options.stops.map((stop) => `RCPT TO:<${stop.path}>${stop.ignoreQuota && pass ? ' IGNOREQUOTA' : ''}`);
  }

  /** The message, and a reply for each stop after it. */
  async #transfer(accepted: readonly Stop[]): Promise<void> {
    const session = this.#loan?.session;
    if (session === undefined || session.failure !== undefined)
      throw session?.failure ?? new BackendFailure(localError);
    const replies = session.read(accepted.length, (reply, index) => {
      const stop = accepted[index];
      if (!isAnswer(reply)) session.fail('it answers out of step');
      // Nobody can have taken a message that has not ended yet: such a 250 must not be believed.
      else if (this.times.sent === 0) session.fail('it answers before the end of the message');
      else if (stop !== undefined) this.#settle(stop.slot, recipientReply(reply, this.#options.server));
    });
    this.#sendQueue(session);
    await replies;
    session.dirty = false;
  }

  #sendQueue(session: BackendSession): void {
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    session.socket.cork();
    for (const chunk of queue) session.socket.write(chunk);
    if (this.#ended) this.#sendDot(session);
    session.socket.uncork();
    if (!this.#ended && this.#isFull(session)) this.#awaitDrain(session);
    else this.#makeRoom();
  }

  #isFull({ socket }: BackendSession): boolean {
    return socket.writableNeedDrain && socket.writableLength > this.#options.settings.buffer;
  }

  #sendDot(session: BackendSession): void {
    session.socket.write(finalDot);
    this.times.sent = performance.now();
    this.#arm(this.#options.settings.reply_timeout, 'no answer to the message in time');
  }

  /** See MessageSink; a branch that is over takes everything, and forgets it. */
  write(chunk: Buffer): Promise<void> | undefined {
    const { buffer } = this.#options.settings;
    if (this.#queue !== undefined) {
      this.#queue.push(chunk);
      this.#queued += chunk.length;
      return this.#queued > buffer ? this.#untilRoom() : undefined;
    }
    const session = this.#taking();
    if (session === undefined) return undefined;
    session.socket.write(chunk);
    if (!this.#isFull(session)) return undefined;
    this.#awaitDrain(session);
    return this.#untilRoom();
  }

  /** The message is whole. */
  end(last: Buffer | undefined): void {
    this.#ended = true;
    if (this.#queue !== undefined) {
      if (last !== undefined) this.#queue.push(last);
      return;
    }
    const session = this.#taking();
    if (session === undefined) return;
    session.socket.cork();
    if (last !== undefined) session.socket.write(last);
    this.#sendDot(session);
    session.socket.uncork();
  }

  /** The message will not be whole: whatever was begun is cut off, so that the backend stores nothing. */
  abort(): void {
    this.#aborted = true;
    this.#open.clear();
    this.#loan?.session.fail('the message was not whole');
  }

  /** The session, while it takes the message. */
  #taking(): BackendSession | undefined {
    return this.#loan !== undefined && this.#loan.session.failure === undefined ? this.#loan.session : undefined;
  }

  #awaitDrain(session: BackendSession): void {
    this.#arm(this.#options.settings.stall_timeout, 'it takes no more of the message');
    session.socket.once('drain', () => {
      if (!this.#ended) clearTimeout(this.#timer);
      this.#makeRoom();
    });
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve) => (this.#room = resolve));
  }

  #makeRoom(): void {
    const resolve = this.#room;
    this.#room = undefined;
    resolve?.();
  }

  /** The one deadline that runs at a time: a backend that misses it is cut off. */
  #arm(ms: number, why: Bytes): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#loan?.session.fail(why), ms);
  }

  #settle(slot: number, reply: Reply): void {
    if (this.#open.delete(slot)) this.#options.settle(slot, reply);
  }
}
