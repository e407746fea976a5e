// The LMTP listener (RFC 2033): sessions on any number of addresses, all handing their messages to one handler.
import type { Address } from '../backends/registry.ts';
import type { ServerFacts } from './listener-facts.ts';
import { LmtpServer } from './listener-server.ts';
import { bind } from '../listening/bind.ts';
import { plainDoor, type Certificate, type Door } from './settings.ts';

export type { Log } from './listener-facts.ts';

/** How long a client may always keep silent, in milliseconds, also where others are turned away for it. */
const patience = 5_000;

export class LmtpListener {
  readonly #facts: ServerFacts;
  readonly #servers: LmtpServer[] = [];
  #closed: LmtpServer[] = [];

  constructor(options: ServerFacts) {
    this.#facts = { ...options };
  }

  /**
   * Listens on one more address; resolves to it, with its port when 0 was asked for. With `shared`, other processes may
   * listen at the same TCP port. Rejects when it can't be had (in use, no permission, no such folder).
   */
  async listen(address: Address, door: Door = plainDoor, { shared = false } = {}): Promise<Address> {
    const server = new LmtpServer(this.#facts, () => this.#mayOpen(), door);
    const bound = await bind(server.server, address, this.#facts.settings.socket_mode, shared);
    this.#servers.push(server);
    return bound;
  }

  /** The session that asks is counted already. A crowd that says nothing must not keep out those who have mail. */
  #mayOpen(): boolean {
    if (this.sessions <= this.#facts.settings.sessions_limit) return true;
    const silent = this.#servers.flatMap((server) => server.mostSilent ?? []);
    const [longest] = silent.sort((a, b) => (a.silentSince ?? 0) - (b.silentSince ?? 0));
    if (performance.now() - (longest?.silentSince ?? Infinity) < patience) return false;
    longest?.giveWay();
    return longest !== undefined;
  }

  /** Sessions open now, over all addresses. */
  get sessions(): number {
    return this.#servers.reduce((sum, server) => sum + server.sessions, 0);
  }

  /**
   * Goes on with other settings, another handler, and the certificates of its addresses, in their order. Transactions
   * that are open end as they began.
   */
  reload(changed: Pick<ServerFacts, 'settings' | 'handler'>, certificates: readonly (Certificate | undefined)[]): void {
    Object.assign(this.#facts, changed);
    for (const [index, server] of this.#servers.entries()) server.reload(certificates[index]);
  }

  /**
   * Stops accepting, lets messages under way be answered, and tells the rest 421; what is not over after `graceMs`
   * milliseconds is cut off. Resolves when all is closed.
   */
  async close(graceMs: number): Promise<void> {
    this.#closed = this.#servers.splice(0);
    await Promise.all(this.#closed.map((server) => server.end(graceMs)));
  }

  /** After `close`: resolves when all messages that were whole have their replies, also those of sessions cut off. */
  async answered(): Promise<void> {
    await Promise.all(this.#closed.map((server) => server.answered()));
  }
}
