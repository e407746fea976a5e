// A client of any MUPDATE server: connects, authenticates, asks, and hears what is streamed to it.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { addressText } from '../backends/registry.ts';
import type { Address } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { base64Of } from '../sasl/mechanism.ts';
import { PlainClient } from '../sasl/plain.ts';
import { LineReader } from './grammar.ts';
import type { Line } from './grammar.ts';
import { literal } from './responses.ts';

/** A data line: a row, or in a stream a name that went (RFC 3656 sections 3.5 to 3.7). */
export interface Datum {
  state: 'active' | 'reserved' | 'absent';
  name: Bytes;
  location: Bytes;
  acl: Bytes;
}

export interface Reply {
  status: 'OK' | 'NO' | 'BAD' | 'BYE';
  text: Bytes;
  /** The data lines before it; empty where a listener has taken them. */
  data: Datum[];
}

export interface ClientOptions {
  address: Address;
  username: string;
  password: string;
  /** Milliseconds for the greeting, and for each reply. */
  timeout: number;
}

interface Pending {
  /** Takes data lines as they come, also those of a stream, after the reply. */
  listener: ((datum: Datum) => void) | undefined;
  data: Datum[];
  resolve: (reply: Reply) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** What is taken from a server, in octets: more than any Cyrus sends. */
const limits = { line: 131_072, literal: 1_048_576, command: 2_097_152 };

/** The reply to the connection itself is the banner's last line, `* OK` (section 3.8). */
const bannerTag = '*';

const states: Readonly<Record<string, Datum['state']>> = { MAILBOX: 'active', RESERVE: 'reserved', DELETE: 'absent' };

/** One connection. Commands may be sent without waiting: replies are told apart by their tags. */
export class MupdateClient {
  readonly #socket: Socket;
  readonly #options: ClientOptions;
  readonly #reader = new LineReader(limits, { atoms: true });
  readonly #pending = new Map<Bytes, Pending>();
  readonly #streams = new Map<Bytes, (datum: Datum) => void>();
  readonly #closed: Promise<void>;
  #broken: Error | undefined;
  #tags = 0;

  private constructor(options: ClientOptions) {
    this.#options = options;
    const socket = 'path' in options.address ? connect(options.address.path) : connect(options.address);
    this.#socket = socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (bytes) => {
      this.#received(bytes.toString());
    });
    socket.on('error', (error) => {
      this.#fail(`${this.#server}: ${error.message}`);
    });
    this.#closed = new Promise((closed) => {
      socket.on('close', () => {
        this.#fail(`${this.#server} closed the connection`);
        closed();
      });
    });
  }

  /** Connects and authenticates by PLAIN; rejects when the server cannot be reached, is silent, or refuses. */
  static async connect(options: ClientOptions): Promise<MupdateClient> {
    const client = new MupdateClient(options);
    try {
      await client.#reply(bannerTag, 'the greeting');
      const plain = new PlainClient(options.username, options.password);
      const reply = await client.send('AUTHENTICATE', [plain.mechanism, base64Of(plain.begin())]);
      if (reply.status !== 'OK') throw new Error(`${client.#server} refused ${options.username}: ${reply.text}`);
      return client;
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  /**
   * Sends one command and resolves with its reply, whatever it says; rejects when none comes in time or the connection
   * ends. `listener` takes the data lines instead of the reply, and after the OK of UPDATE those of the stream.
   */
  async send(verb: string, strings: readonly Bytes[] = [], listener?: (datum: Datum) => void): Promise<Reply> {
    if (this.#broken) throw this.#broken;
    this.#tags += 1;
    const tag = `R${this.#tags}`;
    this.#socket.write(`${[tag, verb, ...strings.map(literal)].join(' ')}\r\n`, 'latin1');
    return this.#reply(tag, `the reply to ${verb}`, listener);
  }

  /** Says LOGOUT, waits for the answer, and closes. */
  async logout(): Promise<void> {
    await this.send('LOGOUT');
    this.#socket.destroySoon();
    await this.#closed;
  }

  /** Resolves when the connection is over, however it ended. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get #server(): string {
    return addressText(this.#options.address);
  }

  #reply(tag: Bytes, what: string, listener?: (datum: Datum) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(`${this.#server}: waited ${this.#options.timeout} ms for ${what}`);
        this.destroy();
      }, this.#options.timeout);
      this.#pending.set(tag, { listener, data: [], resolve, reject, timer });
    });
  }

  #received(bytes: Bytes): void {
    this.#reader.push(bytes);
    for (let read = this.#reader.next(); read; read = this.#reader.next()) {
      if (read.kind === 'line') {
        this.#line(read);
        continue;
      }
      this.#fail(`${this.#server} sent what is no line of MUPDATE: ${'text' in read ? read.text : read.kind}`);
      this.destroy();
      return;
    }
  }

  #line(line: Line): void {
    const { tag, strings } = line;
    const verb = line.verb.toUpperCase();
    const state = states[verb];
    const [name = '', location = '', acl = ''] = strings;
    if (state) this.#datum(tag, { state, name, location, acl });
    else if (verb === 'BYE' && tag === bannerTag) this.#fail(`${this.#server} says BYE: ${strings.join(' ')}`);
    else if (verb === 'OK' || verb === 'NO' || verb === 'BAD' || verb === 'BYE') this.#settle(tag, verb, strings);
    // Anything else is a line of the banner that we have no use for (section 3.8).
  }

  #datum(tag: Bytes, datum: Datum): void {
    const pending = this.#pending.get(tag);
    const listener = pending?.listener ?? this.#streams.get(tag);
    if (listener) listener(datum);
    else pending?.data.push(datum);
    // A long list is no silence.
    pending?.timer.refresh();
  }

  #settle(tag: Bytes, status: Reply['status'], strings: readonly Bytes[]): void {
    const pending = this.#pending.get(tag);
    if (!pending) return;
    this.#pending.delete(tag);
    clearTimeout(pending.timer);
    if (pending.listener && status === 'OK') this.#streams.set(tag, pending.listener);
    pending.resolve({ status, text: strings.join(' '), data: pending.data });
  }

  #fail(reason: string): void {
    this.#broken ??= new Error(reason);
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(this.#broken);
    }
    this.#pending.clear();
  }
}
