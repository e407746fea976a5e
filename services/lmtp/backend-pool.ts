// Connections to backends, kept from one message to the next: for each backend a bounded number, so that none starves others.
import type { LmtpAccess, Registry } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure } from './backend-failure.ts';
import { BackendSession } from './backend-session.ts';
import { backendBusy, backendLost, unknownServer } from './reply-codes.ts';
import type { BackendSettings } from './settings.ts';

/** A session lent to one message. */
export interface Loan {
  session: BackendSession;
  /** It has served a message before: the backend may have hung up meanwhile. */
  used: boolean;
}

/** How a backend's connections are used. */
export interface PoolCounts {
  backend: Bytes;
  busy: number;
  idle: number;
  /** Messages that wait for a connection. */
  waiting: number;
}

interface Waiter {
  give: (loan: Promise<Loan>) => void;
  timer: NodeJS.Timeout;
}

/** The connections to one backend. */
class Pool {
  readonly #server: Bytes;
  readonly #access: LmtpAccess;
  readonly #name: string;
  readonly #settings: BackendSettings;
  /** The one used last stands last, and is taken first: the others grow old and go. */
  readonly #idle: { session: BackendSession; timer: NodeJS.Timeout }[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #lent = new Set<BackendSession>();
  #busy = 0;
  #closed = false;

  constructor(server: Bytes, access: LmtpAccess, name: string, settings: BackendSettings) {
    this.#server = server;
    this.#access = access;
    this.#name = name;
    this.#settings = settings;
  }

  get counts(): PoolCounts {
    return { backend: this.#server, busy: this.#busy, idle: this.#idle.length, waiting: this.#waiters.length };
  }

  async borrow(): Promise<Loan> {
    if (this.#closed) throw new BackendFailure(backendLost(this.#server, 'we are shutting down'));
    const kept = this.#idle.pop();
    if (kept !== undefined) {
      clearTimeout(kept.timer);
      kept.session.onFailure = () => undefined;
      return this.#lend(kept.session, true);
    }
    if (this.#busy < this.#access.connections) return this.#connect();
    return new Promise<Loan>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(new BackendFailure(backendBusy(this.#server)));
      }, this.#settings.wait_timeout);
      const waiter: Waiter = { give: resolve, timer };
      this.#waiters.push(waiter);
    });
  }

  #lend(session: BackendSession, used: boolean): Loan {
    this.#busy++;
    this.#lent.add(session);
    return { session, used };
  }

  async #connect(): Promise<Loan> {
    this.#busy++;
    try {
      const session = await BackendSession.open(this.#server, this.#access, this.#name, this.#settings);
      this.#lent.add(session);
      return { session, used: false };
    } catch (error) {
      this.#busy--;
      this.#serveNext();
      throw error;
    }
  }

  /** A loan comes back: kept for the next message if it is good, and cleared first if it has to be. */
  async giveBack(session: BackendSession): Promise<void> {
    if (session.dirty && session.failure === undefined) await this.#clear(session);
    this.#lent.delete(session);
    this.#busy--;
    if (session.failure === undefined) this.#keep(session);
    this.#serveNext();
  }

  async #clear(session: BackendSession): Promise<void> {
    const timer = setTimeout(() => session.fail('RSET not answered'), this.#settings.connect_timeout);
    // What went wrong is in the session's own `failure`.
    await session.clear().catch(() => undefined);
    clearTimeout(timer);
  }

  #keep(session: BackendSession): void {
    if (this.#closed) {
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
    this.#idle.push({ session, timer });
  }

  #forget(session: BackendSession): void {
    const place = this.#idle.findIndex((kept) => kept.session === session);
    for (const kept of place < 0 ? [] : this.#idle.splice(place, 1)) clearTimeout(kept.timer);
  }

  #serveNext(): void {
    if (this.#waiters.length === 0 || (this.#idle.length === 0 && this.#busy >= this.#access.connections)) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    clearTimeout(waiter.timer);
    waiter.give(this.borrow());
  }

  /** The kept connections are as old as one that was found gone: none of them is trusted any more. */
  dropIdle(): void {
    for (const { session } of [...this.#idle]) session.fail('hung up');
  }

  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const idle = this.#idle.map((kept) => kept.session);
    for (const session of idle) this.#forget(session);
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.give(this.borrow());
    }
    for (const session of this.#lent) session.fail('we are shutting down');
    await Promise.all(idle.map((session) => session.leave(graceMs)));
  }
}

export class BackendPools {
  readonly #pools = new Map<Bytes, Pool>();

  /** `name` is what we call ourselves in LHLO. */
  constructor(registry: Registry, settings: BackendSettings, name: string) {
    for (const { name: server, lmtp } of registry.all()) {
      if (lmtp !== undefined) this.#pools.set(server, new Pool(server, lmtp, name, settings));
    }
  }

  /** A session for one message. Rejects with a BackendFailure, after `wait_timeout` and `connect_timeout` at the latest. */
  async borrow(server: Bytes): Promise<Loan> {
    const pool = this.#pools.get(server);
    if (pool === undefined) throw new BackendFailure(unknownServer(server));
    return pool.borrow();
  }

  /** Every loan is given back once, whatever became of it. */
  giveBack(loan: Loan): void {
    void this.#pools.get(loan.session.server)?.giveBack(loan.session);
  }

  /** A kept connection was found gone. */
  dropIdle(server: Bytes): void {
    this.#pools.get(server)?.dropIdle();
  }

  connections(): PoolCounts[] {
    return Array.from(this.#pools.values(), (pool) => pool.counts);
  }

  /**
   * Says QUIT on the connections that are kept, waiting for it `graceMs` milliseconds at most; those lent are cut off
   * (close the listener first, so that there are none).
   */
  async close(graceMs: number): Promise<void> {
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.close(graceMs)));
  }
}
