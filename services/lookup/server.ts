// The socketmap server: listens, bounds the number of its clients, and gives each a connection of its own.
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { readable } from '../address/bytes.ts';
import { addressText } from '../backends/registry.ts';
import type { Address } from '../backends/registry.ts';
import { bind } from '../listening/bind.ts';
import { Connection } from './connection.ts';
import type { Closing } from './connection.ts';
import type { Answered } from './maps.ts';
import type { LookupSettings } from './settings.ts';
import type { Request } from './socketmap.ts';

export interface SocketmapServerOptions {
  settings: LookupSettings;
  /** Never rejects. */
  ask: (request: Request) => Promise<Answered>;
  log: { debug(fields: object, text: string): void; error(fields: object, text: string): void };
  measure: {
    /** `seconds` from the question to its answer. */
    answer: (answered: Answered, seconds: number) => void;
    closed: (why: Closing) => void;
  };
}

export class SocketmapServer {
  readonly #options: SocketmapServerOptions;
  readonly #listeners: Server[] = [];
  readonly #connections = new Map<Connection, Promise<void>>();
  /** Those that wait for a question, the longest first: who never asked anything, and who did. */
  readonly #silent = new Set<Connection>();
  readonly #idle = new Set<Connection>();

  constructor(options: SocketmapServerOptions) {
    this.#options = options;
  }

  /** Listens there too; the answer has the port that was chosen for port 0. Rejects when the address cannot be had. */
  async listen(address: Address): Promise<Address> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true });
    listener.on('connection', (socket) => {
      this.#accept(socket);
    });
    const bound = await bind(listener, address, this.#options.settings.socket_mode);
    listener.on('error', (error) => {
      this.#options.log.error({ err: error, address: addressText(address) }, 'lookup: listener');
    });
    this.#listeners.push(listener);
    return bound;
  }

  /** How many clients there are. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Accepts no more, lets questions at hand be answered for up to `graceMs` milliseconds, and ends every connection. */
  async close(graceMs: number): Promise<void> {
    const closed = this.#listeners.map((listener) => new Promise((done) => listener.close(done)));
    for (const connection of this.#connections.keys()) connection.stop();
    const answered = Promise.all(this.#connections.values());
    await Promise.race([answered, pause(graceMs, undefined, { ref: false })]);
    for (const connection of this.#connections.keys()) connection.destroy();
    await Promise.all([answered, ...closed]);
  }

  #accept(socket: Socket): void {
    const { settings, ask } = this.#options;
    const peer = socket.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
    if (!this.#makeRoom()) {
      this.#closed('limit', peer, `turned away: all ${settings.connections_limit} connections are at work`);
      socket.destroy();
      return;
    }
    const connection: Connection = new Connection(socket, {
      ...{ peer, requestLimit: settings.request_limit, idleTimeout: settings.idle_timeout, ask },
      answered: (answered, request, tookMs) => {
        this.#answered(answered, request, peer, tookMs);
      },
      closed: (why, text) => {
        this.#closed(why, peer, text);
      },
      waits: (waiting) => {
        this.#silent.delete(connection);
        this.#idle.delete(connection);
        if (waiting) (connection.asked ? this.#idle : this.#silent).add(connection);
      },
    });
    const over = connection.run().finally(() => {
      this.#connections.delete(connection);
    });
    this.#connections.set(connection, over);
  }

  /**
   * A crowd that asks nothing must not keep out those who do: whoever has waited longest without a question goes.
   * Postfix connects again when it next has one. Nobody goes whose question is being answered.
   */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#options.settings.connections_limit) return true;
    const [oldest = this.#idle.values().next().value] = this.#silent;
    if (oldest === undefined) return false;
    this.#silent.delete(oldest);
    this.#idle.delete(oldest);
    this.#connections.delete(oldest);
    oldest.giveWay();
    return true;
  }

  #answered(answered: Answered, { map, key }: Request, peer: string, tookMs: number): void {
    const { answer, mailbox, reason } = answered;
    this.#options.measure.answer(answered, tookMs / 1000);
    this.#options.log.debug(
      {
        ...{ peer, map: readable(map), key: readable(key), answer: answer.status, reason },
        ...{ mailbox: readable(mailbox), took_ms: Math.round(tookMs) },
      },
      'lookup: answered',
    );
  }

  /** At `debug`: whoever may connect could fill the log. The counter tells how many there are. */
  #closed(why: Closing, peer: string, text: string): void {
    this.#options.measure.closed(why);
    this.#options.log.debug({ peer, why }, `lookup: ${text}`);
  }
}
