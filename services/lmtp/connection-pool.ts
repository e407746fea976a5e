// The connections to one backend: a bounded number, kept from one message to the next; who waits for one; the breaker.
import type { LmtpAccess } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure } from './backend-failure.ts';
import { BackendConnector } from './backend-connector.ts';
import type { BackendSession } from './backend-session.ts';
import { LentSessions } from './lent-sessions.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { backendAway, backendBusy, backendLost, queueFull } from './reply-codes.ts';
import type { BackendSettings } from './settings.ts';
import { slowest, type Sending } from './slow-sender.ts';

/** A session lent to one message. */
export interface Loan {
  session: BackendSession;
  /** It has served a message before: the backend may have hung up meanwhile. */
  used: boolean;
  pool: ConnectionPool;
  /** How the message gets on, told while others wait for a connection; set by whoever has borrowed it. */
  sending?: () => Sending | undefined;
}

/** How a backend's connections are used. */
export interface PoolCounts {
  backend: Bytes;
  busy: number;
  idle: number;
  /** Messages that wait for a connection. */
  waiting: number;
  /** Connections on which replies are awaited that come too late for the MTA. */
  late: number;
}

interface Kept {
  session: BackendSession;
  timer: NodeJS.Timeout;
  /** In the milliseconds of `performance.now()`. */
  since: number;
}

/** How often a message that waits looks whom it waits for, in milliseconds. */
const lookEvery = 1000;

interface Waiter {
  give: (loan: Loan | Promise<Loan>) => void;
}

export class ConnectionPool {
  /** How the backend is reached: another object only where it says the same. */
  access: LmtpAccess;
  readonly #server: Bytes;
  readonly #settings: BackendSettings;
  readonly #breaker: Breaker;
  readonly #connector: BackendConnector;
  /** The one used last stands last, and is taken first: the others grow old and go. */
  readonly #idle: Kept[] = [];
  readonly #waiters: Waiter[] = [];
  /** Those that are late are not counted as busy any more. */
  readonly #lent = new LentSessions<BackendSession, Loan>();
  #busy = 0;
  #closed = false;
  #failingBack = false;
  #probe: NodeJS.Timeout | undefined;
  #why = '';

  constructor(server: Bytes, access: LmtpAccess, name: string, settings: BackendSettings) {
    this.#server = server;
    this.access = access;
    this.#settings = settings;
    this.#breaker = new Breaker({ failures: settings.breaker_failures, pause: settings.breaker_pause });
    this.#connector = new BackendConnector(server, access.addresses, name, settings);
  }

  get counts(): PoolCounts {
    const [busy, idle, waiting, late] = [this.#busy, this.#idle.length, this.#waiters.length, this.#lent.late];
    return { backend: this.#server, busy, idle, waiting, late };
  }

  get breaker(): BreakerState {
    return this.#breaker.state;
  }

  /** Why the breaker is not closed, for people; undefined while it is. */
  get trouble(): string | undefined {
    if (this.#breaker.state === 'closed') return undefined;
    return `${this.#server} away, ${this.#breaker.failures} failures in a row, last: ${this.#why}`;
  }

  /**
   * A session for one message; at once where one is kept. `fresh`: one that has served nobody yet. Rejects with a
   * BackendFailure.
   */
  borrow(fresh = false): Loan | Promise<Loan> {
    if (this.#closed) return Promise.reject(new BackendFailure(backendLost(this.#server, 'we are shutting down')));
    const kept = fresh ? undefined : this.#idle.pop();
    if (kept !== undefined) return this.#lendKept(kept);
    if (this.#busy < this.access.connections) {
      return this.#breaker.state === 'closed' ? this.#connect() : Promise.reject(this.#away());
    }
    if (this.#waiters.length >= this.access.waiting) return Promise.reject(new BackendFailure(queueFull(this.#server)));
    return this.#wait();
  }

  #lendKept({ session, timer, since }: Kept): Loan | Promise<Loan> {
    clearTimeout(timer);
    session.onFailure = () => undefined;
    this.#busy++;
    this.#failBack(session);
    const loan = this.#lend(session, true);
    return performance.now() - since < this.#settings.check_after ? loan : this.#checked(loan);
  }

  #lend(session: BackendSession, used: boolean): Loan {
    const loan: Loan = { session, used, pool: this };
    this.#lent.add(session, loan);
    return loan;
  }

  /** A firewall forgets silent connections, and then swallows what is sent on them: better asked than found out in a message. */
  async #checked(loan: Loan): Promise<Loan> {
    const { session } = loan;
    const timer = setTimeout(() => session.fail('NOOP not answered'), this.#settings.connect_timeout);
    const alive = await session.isAlive();
    clearTimeout(timer);
    if (alive) return loan;
    this.#lent.remove(session);
    this.#busy--;
    return this.borrow();
  }

  #wait(): Promise<Loan> {
    return new Promise<Loan>((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        clearInterval(looks);
        reject(new BackendFailure(backendBusy(this.#server)));
      }, this.#settings.wait_timeout);
      const looks = setInterval(() => slowest(this.#underWay(), performance.now())?.giveWay(), lookEvery);
      const waiter: Waiter = {
        give: (loan) => {
          clearTimeout(late);
          clearInterval(looks);
          resolve(loan);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  #underWay(): Sending[] {
    return Array.from(this.#lent.loans, ({ sending }) => sending?.()).filter((one) => one !== undefined);
  }

  async #connect(): Promise<Loan> {
    this.#busy++;
    try {
      const session = await this.#open();
      return this.#lend(session, false);
    } catch (error) {
      this.#busy--;
      // "Too many connections" while some are in use says nothing about its health.
      if (!(error instanceof BackendFailure && error.answered && this.#busy > 0)) this.#failed(error);
      this.#serveWaiters();
      throw error;
    }
  }

  async #open(): Promise<BackendSession> {
    const session = await this.#connector.open(this.access);
    this.#breaker.succeeded();
    clearTimeout(this.#probe);
    return session;
  }

  /** Connections that are in use all the time would stay at a spare address for ever: no message waits for the try. */
  #failBack(session: BackendSession): void {
    if (this.#failingBack || this.#busy >= this.access.connections) return;
    if (!this.#connector.isRetryDue(session)) return;
    this.#failingBack = true;
    void this.#openForNobody().finally(() => (this.#failingBack = false));
  }

  #failed(error: unknown): void {
    this.#why = (error as Error).message;
    if (this.#breaker.failed(performance.now())) this.#awaitProbe();
  }

  #awaitProbe(): void {
    clearTimeout(this.#probe);
    if (this.#closed || this.#breaker.state !== 'open') return;
    const pause = Math.max(0, this.#breaker.probeAt - performance.now());
    this.#probe = setTimeout(() => void this.#ask(), Math.ceil(pause));
    this.#probe.unref();
  }

  #away(): BackendFailure {
    return new BackendFailure(backendAway(this.#server, `${this.#breaker.failures} failures in a row, ${this.#why}`));
  }

  /** The probe: a session opened for nobody. When it comes about, it is kept for the next message. */
  async #ask(): Promise<void> {
    if (this.#closed) return;
    if (!this.#breaker.probes(performance.now())) {
      // Timers go by a clock that lags, and so they are early at times.
      this.#awaitProbe();
      return;
    }
    await this.#openForNobody();
  }

  async #openForNobody(): Promise<void> {
    this.#busy++;
    const session = await this.#open().catch((error: unknown) => {
      this.#failed(error);
      return undefined;
    });
    this.#busy--;
    if (session !== undefined) this.#keep(session);
    this.#serveWaiters();
  }

  /** A loan comes back: kept for the next message if it is good, and cleared first if it has to be. */
  async giveBack(session: BackendSession): Promise<void> {
    if (session.dirty && session.failure === undefined) await this.#clear(session);
    if (this.#lent.remove(session)) this.#busy--;
    if (session.failure === undefined) this.#keep(session);
    this.#serveWaiters();
  }

  /**
   * A loan goes on without its message's MTA, and must not keep others from the backend. No more of these are allowed
   * than connections: the oldest is cut off.
   */
  setAside(session: BackendSession): void {
    if (!this.#lent.setAside(session, this.access.connections)) return;
    this.#busy--;
    this.#serveWaiters();
  }

  async #clear(session: BackendSession): Promise<void> {
    const timer = setTimeout(() => session.fail('RSET not answered'), this.#settings.connect_timeout);
    // What went wrong is in the session's own `failure`.
    await session.clear().catch(() => undefined);
    clearTimeout(timer);
  }

  #keep(session: BackendSession): void {
    const beaten = this.#connector.isBeaten(session);
    if (this.#closed || beaten || this.#idle.length >= this.access.connections) {
      void session.leave(this.#settings.connect_timeout);
      return;
    }
    const timer = setTimeout(() => {
      this.#forget(session);
      void session.leave(this.#settings.connect_timeout);
    }, this.#settings.idle_timeout);
    timer.unref();
    session.onFailure = () => {
      this.#forget(session);
    };
    this.#idle.push({ session, timer, since: performance.now() });
  }

  #forget(session: BackendSession): void {
    const place = this.#idle.findIndex((kept) => kept.session === session);
    for (const kept of place < 0 ? [] : this.#idle.splice(place, 1)) clearTimeout(kept.timer);
  }

  #serveWaiters(): void {
    while (this.#waiters.length > 0 && (this.#idle.length > 0 || this.#busy < this.access.connections)) {
      this.#waiters.shift()?.give(this.borrow());
    }
  }

  /** The kept connections are as old as one that was found gone: none of them is trusted any more. */
  dropIdle(): void {
    for (const { session } of [...this.#idle]) session.fail('hung up');
  }

  /** Takes no more messages; those under way go on, and their connections are closed behind them. */
  async retire(graceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#probe);
    const idle = this.#idle.map((kept) => kept.session);
    for (const session of idle) this.#forget(session);
    for (const waiter of this.#waiters.splice(0)) waiter.give(this.borrow());
    await Promise.all(idle.map((session) => session.leave(graceMs)));
  }

  /** The same, but what is still under way after that time is cut off; late replies are listened to until then. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([this.retire(graceMs), this.#lent.end(graceMs)]);
  }
}
