// One message on its way to one backend: its share of the recipients, and its own pace and end.
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure } from './backend-failure.ts';
import type { BackendPools } from './backend-pool.ts';
import type { BackendSession } from './backend-session.ts';
import type { Loan } from './connection-pool.ts';
import { envelopeOf, isUtf8, lacksUtf8, type Origin, type Stop } from './envelope.ts';
import type { MemoryLimit } from './memory-limit.ts';
import type { Sender } from './message-handler.ts';
import { Outlet, type OutletOwner } from './outlet.ts';
import { backendLost, localError, tooSlow, utf8Address, utf8Message } from './reply-codes.ts';
import { isAnswer, isIntermediate, isPositive, type Reply } from './reply.ts';
import type { BackendSettings } from './settings.ts';
import type { Sending } from './slow-sender.ts';
import { contradictsDirectory, isForAll, recipientReply, senderReply, sessionReply } from './status-map.ts';

/** Who is told what became of each stop. */
export interface BranchOwner {
  /** Called once for each stop, unless the branch is aborted. */
  settle(slot: number, reply: Reply): void;
  /** The backend has taken the message for a stop that had been settled for want of its reply. */
  late(slot: number, reply: Reply): void;
  /** The backend does not know the mailbox. Comes besides `settle`. */
  contradicted(slot: number): void;
}

export interface BranchOptions {
  server: Bytes;
  stops: readonly Stop[];
  /** Nothing is begun before `release`; until then the message is kept. */
  held: boolean;
  sender: Sender;
  origin: Origin;
  /** What goes before the message. */
  trace: Buffer;
  pools: BackendPools;
  settings: BackendSettings;
  memory: MemoryLimit;
  owner: BranchOwner;
}

/** When what happened, in the milliseconds of `performance.now()`; 0 for what did not. */
export interface BranchTimes {
  begun: number;
  connected: number;
  sent: number;
  answered: number;
}

export class Branch implements OutletOwner {
  readonly times: BranchTimes = { begun: performance.now(), connected: 0, sent: 0, answered: 0 };
  /** Resolves when all stops are settled, or the branch was aborted; never rejects. */
  readonly done: Promise<void>;
  /** Where the message goes. */
  readonly outlet: Outlet;
  readonly #options: BranchOptions;
  readonly #open = new Set<number>();
  #held: boolean;
  #aborted = false;
  #loan: Loan | undefined;
  #timer: NodeJS.Timeout | undefined;
  #finish!: () => void;

  constructor(options: BranchOptions) {
    const { trace, settings, memory, held } = options;
    this.#options = options;
    for (const { slot } of options.stops) this.#open.add(slot);
    this.outlet = new Outlet(this, trace, settings.buffer, memory, !held);
    this.#held = held;
    this.done = new Promise((resolve) => (this.#finish = resolve));
    if (!held) void this.#deliver();
  }

  get server(): Bytes {
    return this.#options.server;
  }

  get stops(): readonly Stop[] {
    return this.#options.stops;
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** A stop of a held branch has a reply already. */
  settle(slot: number, reply: Reply): void {
    this.#settle(slot, reply);
  }

  /** A held branch begins, with the stops that are not settled yet. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.outlet.count();
    void this.#deliver();
  }

  /** The whole of it, in order; on a kept connection that turns out to be gone, once more on a new one. */
  async #deliver(): Promise<void> {
    try {
      await this.#attempt(false);
    } catch (error) {
      if (!this.#mayRetry(error)) this.#fail(error);
      else
        await this.#attempt(true).catch((again: unknown) => {
          this.#fail(again);
        });
    }
    clearTimeout(this.#timer);
    this.outlet.close();
    // From here on the session may serve another message: nothing of this one may reach it.
    this.#giveBack();
    this.#finish();
  }

  #fail(error: unknown): void {
    this.#settleAll(error instanceof BackendFailure ? error.reply : localError);
  }

  /** Nothing of the message was sent, and the backend may just have hung up on us while the connection was unused. */
  #mayRetry(error: unknown): boolean {
    const loan = this.#loan;
    if (loan?.used !== true || !(error instanceof BackendFailure && error.gone)) return false;
    if (this.outlet.hasBegun || this.#isOver()) return false;
    this.#giveBack();
    loan.pool.dropIdle();
    return true;
  }

  /** Nobody waits for anything from it any more. */
  #isOver(): boolean {
    return this.#aborted || this.#open.size === 0;
  }

  #giveBack(): void {
    const loan = this.#loan;
    this.#loan = undefined;
    if (loan !== undefined) void loan.pool.giveBack(loan.session);
  }

  async #attempt(fresh: boolean): Promise<void> {
    if (this.#isOver()) return;
    const { pools, server } = this.#options;
    const borrowed = pools.borrow(server, fresh);
    const loan = borrowed instanceof Promise ? await borrowed : borrowed;
    this.#loan = loan;
    if (this.#isOver()) return;
    this.times.connected = performance.now();
    const accepted = await this.#offer(loan.session);
    if (accepted.length > 0) await this.#transfer(loan.session, accepted);
  }

  /** MAIL, RCPT and DATA; resolves to the stops that were accepted, the backend waiting for the message then. */
  async #offer(session: BackendSession): Promise<Stop[]> {
    const { server, sender, origin, trace, settings, owner } = this.#options;
    const stops = this.#options.stops.filter((stop) => this.#open.has(stop.slot));
    if (lacksUtf8(sender, session)) {
      for (const { slot, path } of stops) this.#settle(slot, this.#utf8Refusal(path));
      return [];
    }
    this.#arm(settings.envelope_timeout, 'no answer to MAIL, RCPT and DATA in time');
    const said = await session.envelope(envelopeOf(sender, stops, origin, trace.length, session));
    clearTimeout(this.#timer);
    const { mail, rcpts, data } = said;
    if (!isPositive(mail)) {
      for (const { slot } of stops) this.#settle(slot, senderReply(mail, server));
    }
    const accepted = stops.filter(({ slot }, index) => {
      const one = rcpts[index];
      if (one === undefined || !this.#open.has(slot)) return false;
      if (isPositive(one)) return true;
      if (contradictsDirectory(one)) owner.contradicted(slot);
      this.#settle(slot, recipientReply(one, server));
      return false;
    });
    if (data !== undefined && isIntermediate(data)) {
      // RFC 2033 section 4.2 forbids a 354 without recipients; a dot would not undo it.
      if (accepted.length === 0) session.fail('354 without a recipient');
      return accepted;
    }
    for (const { slot } of accepted) this.#settle(slot, sessionReply(data ?? mail, server));
    return [];
  }

  #utf8Refusal(path: Bytes): Reply {
    const { sender, server } = this.#options;
    return isUtf8(path) || isUtf8(sender.path.raw) ? utf8Address(server) : utf8Message(server);
  }

  /** The message, and a reply for each stop after it. */
  async #transfer(session: BackendSession, accepted: readonly Stop[]): Promise<void> {
    const [since, before] = [performance.now(), session.socket.bytesWritten];
    let taken = true;
    const replies = session.read(accepted.length, (reply, index) => {
      if (!isAnswer(reply)) session.fail('it answers out of step');
      // Nobody can have taken a message that has not ended yet: such a 250 must not be believed.
      else if (this.times.sent === 0) session.fail('it answers before the end of the message');
      else {
        taken &&= isPositive(reply);
        this.#answered(accepted[index]?.slot ?? -1, reply);
        const sent = session.socket.bytesWritten - before;
        if (index === 0 && accepted.length > 1 && isForAll(reply, sent, session.sizeLimit)) {
          this.giveUp(recipientReply(reply, this.server));
        }
      }
    });
    if (this.#loan) this.#loan.sending = () => this.#sending(session, since, before);
    if (session.failure === undefined) this.outlet.start(session);
    await replies;
    // Cyrus keeps its transaction open behind "too big".
    session.dirty = !taken;
  }

  #sending({ socket }: BackendSession, since: number, before: number): Sending {
    return {
      ...{ since, octets: socket.bytesWritten - before },
      waitsForMta: this.times.sent === 0 && socket.writableLength === 0,
      giveWay: () => {
        this.giveUp(tooSlow(this.server));
      },
    };
  }

  #answered(slot: number, reply: Reply): void {
    const { owner, server } = this.#options;
    if (this.#open.has(slot)) {
      if (contradictsDirectory(reply)) owner.contradicted(slot);
      this.#settle(slot, recipientReply(reply, server));
    } else if (isPositive(reply)) owner.late(slot, recipientReply(reply, server));
  }

  /** Of the outlet. */
  stalled(waiting: boolean): void {
    clearTimeout(this.#timer);
    if (waiting) this.#arm(this.#options.settings.stall_timeout, 'it takes no more of the message');
  }

  /** Of the outlet. */
  sent(): void {
    this.times.sent = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.overdue('no answer to the message in time');
    }, this.#options.settings.reply_timeout);
  }

  /**
   * The MTA is told now, whatever the backend owes. Where it has the whole message its replies are still listened to, for
   * a while; else it gets no more of it.
   */
  overdue(why: Bytes): void {
    const loan = this.#loan;
    const { server, settings } = this.#options;
    if (loan === undefined || this.times.sent === 0 || loan.session.socket.writableLength > 0) loan?.session.fail(why);
    else if (loan.session.failure === undefined) {
      loan.pool.setAside(loan.session);
      this.#arm(settings.late_timeout, why);
    }
    this.#settleAll(loan?.session.failure?.reply ?? backendLost(server, why));
  }

  /** It can't go on: each stop without a reply gets this one. */
  giveUp(reply: Reply): void {
    this.#settleAll(reply);
    this.#stop();
  }

  /** The message will not be whole: whatever was begun is cut off, so that the backend stores nothing. */
  abort(): void {
    this.#aborted = true;
    this.#open.clear();
    this.#stop();
  }

  #stop(): void {
    this.#loan?.session.fail('the message was not whole');
    this.outlet.close();
    this.#finish();
  }

  /** The one deadline that runs at a time: a backend that misses it is cut off. */
  #arm(ms: number, why: Bytes): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#loan?.session.fail(why), ms);
  }

  #settleAll(reply: Reply): void {
    for (const slot of [...this.#open]) this.#settle(slot, reply);
  }

  #settle(slot: number, reply: Reply): void {
    if (!this.#open.delete(slot)) return;
    this.#options.owner.settle(slot, reply);
    if (this.#open.size > 0) return;
    this.times.answered = performance.now();
    this.#finish();
  }
}
