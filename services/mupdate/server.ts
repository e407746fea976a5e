// The MUPDATE server: listens, counts its clients, and gives each a connection of its own.
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { addressText } from '../backends/registry.ts';
import type { Address } from '../backends/registry.ts';
import { hostAddress } from '../listening/host-address.ts';
import { bind } from '../listening/bind.ts';
import { Connection } from './connection.ts';
import { bye } from './responses.ts';
import { Listings } from './listings.ts';
import type { Service } from './service.ts';
import type { Role } from './session.ts';
import { Wire } from './wire.ts';

export interface MupdateServerOptions extends Omit<Service, 'listings'> {
  /** An id for each session, never used again, also not after a restart. */
  nextSession: () => string;
}

/** Who may connect to a Unix socket: all, for the folder it is in is the gate, and AUTHENTICATE the next. */
const socketMode = 0o666;

/** Milliseconds of silence after which TCP asks whether the other side is still there. */
const keepAlive = 60_000;

export class MupdateServer {
  readonly #options: MupdateServerOptions & Service;
  readonly #listeners: Server[] = [];
  readonly #connections = new Map<Connection, Promise<void>>();
  /** The oldest first. */
  readonly #unauthenticated = new Set<Connection>();

  constructor(options: MupdateServerOptions) {
    const { directory, settings } = options;
    this.#options = { ...options, listings: new Listings({ directory, atOnce: settings.updates_at_once }) };
  }

  /** Listens there too; the answer has the port that was chosen for port 0. Rejects when the address cannot be had. */
  async listen(address: Address): Promise<Address> {
    const listener = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAlive,
    });
    listener.on('connection', (socket) => {
      this.#accept(socket);
    });
    const bound = await bind(listener, address, socketMode);
    listener.on('error', (error) => {
      this.#options.log.error({ err: error, address: addressText(address) }, 'mupdate: listener');
    });
    this.#listeners.push(listener);
    return bound;
  }

  /** Whether a session of this id goes on. */
  has(session: string): boolean {
    return Array.from(this.#connections.keys()).some((connection) => connection.id === session);
  }

  /** How many clients there are of each role. */
  get sessions(): Record<Role, number> {
    const counts: Record<Role, number> = { unauthenticated: 0, authenticated: 0, push: 0, streaming: 0 };
    for (const connection of this.#connections.keys()) counts[connection.role] += 1;
    return counts;
  }

  /** Accepts no more, lets commands at hand be answered for up to `graceMs` milliseconds, and ends every connection. */
  async close(graceMs: number): Promise<void> {
    const closed = this.#listeners.map((listener) => new Promise((done) => listener.close(done)));
    for (const connection of this.#connections.keys()) connection.stop();
    const answered = Promise.all(this.#connections.values());
    await Promise.race([answered, pause(graceMs, undefined, { ref: false })]);
    for (const connection of this.#connections.keys()) connection.destroy();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    const { settings, log, nextSession } = this.#options;
    const peer = addressText({ host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
    const session = { id: nextSession(), peer, address: hostAddress(socket.remoteAddress ?? '') };
    const wire = new Wire(socket, {
      outputLimit: settings.output_limit,
      stallTimeout: settings.stall_timeout,
      stalled: () => {
        log.warn({ session: session.id, peer }, `mupdate: client has not read for ${settings.stall_timeout} ms`);
      },
    });
    if (this.#connections.size >= settings.sessions_limit) {
      log.warn({ peer, sessions_limit: settings.sessions_limit }, 'mupdate: too many connections');
      wire.write(bye('too many connections'));
      wire.close();
      return;
    }
    this.#makeRoom();
    const connection = new Connection(this.#options, wire, session, () => {
      this.#unauthenticated.delete(connection);
    });
    this.#unauthenticated.add(connection);
    const over = connection.run().finally(() => {
      this.#connections.delete(connection);
      this.#unauthenticated.delete(connection);
    });
    this.#connections.set(connection, over);
  }

  /** Whoever connects and does not authenticate must not keep out those who do. */
  #makeRoom(): void {
    const [oldest] = this.#unauthenticated;
    if (!oldest || this.#unauthenticated.size < this.#options.settings.unauthenticated_limit) return;
    this.#unauthenticated.delete(oldest);
    oldest.end('too many connections that have not authenticated');
  }
}
