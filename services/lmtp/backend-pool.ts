// Connections to all backends: for each a pool of its own, so that none starves others, as the registry says at the moment.
import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure } from './backend-failure.ts';
import type { BreakerState } from './breaker.ts';
import { ConnectionPool, type Loan, type PoolCounts } from './connection-pool.ts';
import { fenced, unknownServer } from './reply-codes.ts';
import type { BackendSettings } from './settings.ts';

export class BackendPools {
  readonly #pools = new Map<Bytes, ConnectionPool>();
  readonly #registry: Registry;
  readonly #settings: BackendSettings;
  readonly #name: string;

  /** `name` is what we call ourselves in LHLO. */
  constructor(registry: Registry, settings: BackendSettings, name: string) {
    this.#registry = registry;
    this.#settings = settings;
    this.#name = name;
    for (const { name: server } of registry.all()) this.#poolOf(server);
  }

  /**
   * A session for one message, at once where one is kept; `fresh`: one that has served nobody yet. Rejects with a
   * BackendFailure; the time that it takes is bounded by `wait_timeout`, and `connect_timeout` for each address.
   */
  borrow(server: Bytes, fresh = false): Loan | Promise<Loan> {
    const pool = this.#poolOf(server);
    if (pool === undefined) return Promise.reject(new BackendFailure(unknownServer(server)));
    if (this.#registry.isFenced(server)) return Promise.reject(new BackendFailure(fenced(server)));
    const loan = pool.borrow(fresh);
    return loan instanceof Promise ? this.#unfenced(server, loan) : loan;
  }

  /** The backend may have been fenced while its connection was waited for. */
  async #unfenced(server: Bytes, waited: Promise<Loan>): Promise<Loan> {
    const loan = await waited;
    if (!this.#registry.isFenced(server)) return loan;
    void loan.pool.giveBack(loan.session);
    throw new BackendFailure(fenced(server));
  }

  /** The pool by which a server is reached now: another one when the registry has learnt of other addresses. */
  #poolOf(server: Bytes): ConnectionPool | undefined {
    const access = this.#registry.find(server)?.lmtp;
    const known = this.#pools.get(server);
    if (known?.access === access) return known;
    if (known !== undefined && access !== undefined && isDeepStrictEqual(known.access, access)) {
      known.access = access;
      return known;
    }
    if (known !== undefined) void known.retire(this.#settings.connect_timeout);
    this.#pools.delete(server);
    if (access === undefined) return undefined;
    const pool = new ConnectionPool(server, access, this.#name, this.#settings);
    this.#pools.set(server, pool);
    return pool;
  }

  connections(): PoolCounts[] {
    return Array.from(this.#pools.values(), (pool) => pool.counts);
  }

  /** What keeps mail from each backend: its breaker, or the operator. */
  states(): { backend: Bytes; breaker: BreakerState; fenced: boolean }[] {
    return Array.from(this.#pools, ([backend, { breaker }]) => {
      return { backend, breaker, fenced: this.#registry.isFenced(backend) };
    });
  }

  /** The backends that get no mail at the moment, and why, for people; undefined when there are none. */
  troubles(): string | undefined {
    const fences = this.states().flatMap((state) => (state.fenced ? `${state.backend} fenced` : []));
    const away = Array.from(this.#pools.values()).flatMap((pool) => pool.trouble ?? []);
    const all = [...fences, ...away];
    return all.length === 0 ? undefined : all.join('; ');
  }

  /**
   * Says QUIT on the connections that are kept, and listens to backends that have not answered yet what they took;
   * after `graceMs` milliseconds all is cut off. Close the listener first, so that nothing new is begun.
   */
  async close(graceMs: number): Promise<void> {
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.close(graceMs)));
  }
}
