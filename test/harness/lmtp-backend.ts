// A backend for tests: an LMTP server that keeps what it is sent, and misbehaves in whatever way it is told to.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Address } from '../../services/backends/registry.ts';

/**
 * What a step of the conversation does: `CLOSE`, `HANG`, `STOP READING`, `DRIBBLE` (a reply that never comes to its end, a
 * byte at a time); other text is sent, CRLF added to each line. A last line `CLOSE` closes behind the others.
 */
export type Say = string;

export interface Behaviour {
  greeting: Say;
  /** Keywords of LHLO. */
  keywords: string[];
  /** Overrides the reply to a command: by its verb (`AUTH`, `MAIL`, `RCPT`, `DATA`, `RSET`), or undefined for the usual one. */
  command: (verb: string, line: string, connection: number) => Say | undefined;
  /** What comes after the final dot, for the recipients accepted; `peer` is the client's port. */
  after: (recipients: string[], raw: string, peer: number) => Say;
  /** Does something once so many bytes of a message have come. */
  inMessage: { bytes: number; say: Say } | undefined;
}

/** One message as it came, or what there was of it. */
export class Received {
  readonly mail: string;
  readonly rcpts: string[];
  readonly connection: number;
  whole = false;
  size = 0;
  /** The last bytes; a message begins behind a line's end. */
  tail = '\r\n';
  readonly #chunks: string[] = [];

  constructor(mail: string, rcpts: string[], connection: number) {
    this.mail = mail;
    this.rcpts = rcpts;
    this.connection = connection;
  }

  get raw(): string {
    return this.#chunks.join('').slice(0, this.size);
  }

  /** Takes up to the final dot; returns what follows it, or undefined. */
  take(text: string): string | undefined {
    const known = this.tail.length;
    const end = (this.tail + text).indexOf('\r\n.\r\n');
    this.whole = end >= 0;
    this.#chunks.push(text);
    this.size += this.whole ? end + 2 - known : text.length;
    this.tail = (this.tail + text).slice(-4);
    return this.whole ? text.slice(end + 5 - known) : undefined;
  }
}

const usual: Behaviour = {
  greeting: '220 fake LMTP',
  keywords: ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE', 'IGNOREQUOTA'],
  command: () => undefined,
  after: (recipients) => recipients.map((to) => `250 2.1.5 ${to} Ok SESSIONID=<fake>`).join('\n'),
  inMessage: undefined,
};

export class FakeBackend {
  readonly messages: Received[] = [];
  /** Every command line, as it came. */
  readonly lines: string[] = [];
  connections = 0;
  behaviour: Behaviour;
  address: Address = { host: '127.0.0.1', port: 0 };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(behaviour: Partial<Behaviour> = {}) {
    this.behaviour = { ...usual, ...behaviour };
  }

  /** On a path, or a TCP address; by default on a free port. */
  async listen(at: string | Address = { host: '127.0.0.1', port: 0 }): Promise<this> {
    const place = typeof at === 'string' ? { path: at } : at;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      new Conversation(this, socket, ++this.connections);
    });
    this.#server = server;
    server.listen(place);
    await once(server, 'listening');
    this.address = 'path' in place ? place : { host: place.host, port: (server.address() as AddressInfo).port };
    return this;
  }

  get open(): number {
    return this.#sockets.size;
  }

  /** Says something on all connections, unasked or late. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.write(`${text.replaceAll('\n', '\r\n')}\r\n`, 'latin1');
  }

  /** Reads on, where it had stopped reading. */
  resume(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.hangUp();
    const server = this.#server;
    if (server?.listening) await new Promise((closed) => server.close(closed));
  }
}

class Conversation {
  readonly #backend: FakeBackend;
  readonly #socket: Socket;
  readonly #number: number;
  #input = '';
  #mail = '';
  #rcpts: string[] = [];
  #message: Received | undefined;
  #told = false;

  constructor(backend: FakeBackend, socket: Socket, number: number) {
    this.#backend = backend;
    this.#socket = socket;
    this.#number = number;
    socket.on('error', () => undefined);
    socket.setNoDelay(true);
    this.#say(backend.behaviour.greeting);
    socket.on('data', (chunk) => {
      this.#input += chunk.toString('latin1');
      while (this.#message === undefined ? this.#command() : this.#body(this.#message)) {
        // One step at a time.
      }
    });
  }

  #say(say: Say): void {
    if (say === 'CLOSE') this.#socket.destroy();
    else if (say === 'STOP READING') this.#socket.pause();
    else if (say === 'DRIBBLE') this.#dribble();
    else if (say.endsWith('\nCLOSE')) this.#socket.end(`${say.slice(0, -6).replaceAll('\n', '\r\n')}\r\n`, 'latin1');
    else if (say !== 'HANG' && this.#socket.writable)
      this.#socket.write(say.replaceAll('\n', '\r\n') + '\r\n', 'latin1');
  }

  #dribble(): void {
    this.#socket.write('250-');
    const timer = setInterval(() => this.#socket.write('.'), 20);
    this.#socket.on('close', () => {
      clearInterval(timer);
    });
  }

  #command(): boolean {
    const end = this.#input.indexOf('\r\n');
    if (end < 0 || this.#socket.destroyed) return false;
    const line = this.#input.slice(0, end);
    this.#input = this.#input.slice(end + 2);
    this.#backend.lines.push(line);
    const verb = (line.split(/[ :]/, 1)[0] ?? '').toUpperCase();
    const said = this.#backend.behaviour.command(verb, line, this.#number) ?? this.#usual(verb);
    if (said.startsWith('354')) {
      this.#message = new Received(this.#mail, this.#rcpts, this.#number);
      this.#backend.messages.push(this.#message);
      this.#told = false;
    }
    if (said.startsWith('250') && verb === 'MAIL') this.#mail = line;
    if (said.startsWith('250') && verb === 'RCPT') this.#rcpts.push(line.replace(/^RCPT TO:/, ''));
    this.#say(said);
    if (verb === 'QUIT') this.#socket.end();
    return true;
  }

  #usual(verb: string): Say {
    if (verb === 'LHLO') return ['fake', ...this.#backend.behaviour.keywords].map(lhloLine).join('\n');
    if (verb === 'AUTH') return '235 2.7.0 ok';
    if (verb === 'QUIT') return '221 2.0.0 bye';
    if (verb === 'RSET' || verb === 'MAIL') {
      if (verb === 'MAIL' && this.#mail !== '') return '503 5.5.1 Nested MAIL command';
      this.#mail = '';
      this.#rcpts = [];
      return '250 2.0.0 ok';
    }
    if (verb === 'RCPT') return this.#mail === '' ? '503 5.5.1 Need MAIL command' : '250 2.1.5 ok';
    if (verb === 'DATA') return this.#rcpts.length === 0 ? '503 5.5.1 No recipients' : '354 go ahead';
    return '500 5.5.2 what';
  }

  #body(message: Received): boolean {
    const { inMessage, after } = this.#backend.behaviour;
    const rest = message.take(this.#input);
    this.#input = rest ?? '';
    if (inMessage !== undefined && !this.#told && message.size >= inMessage.bytes) {
      this.#told = true;
      this.#say(inMessage.say);
    }
    if (rest === undefined) return false;
    this.#message = undefined;
    this.#mail = '';
    this.#rcpts = [];
    this.#say(after(message.rcpts, message.raw, this.#socket.remotePort ?? 0));
    return true;
  }
}

function lhloLine(keyword: string, index: number, all: string[]): string {
  return `250${index < all.length - 1 ? '-' : ' '}${keyword}`;
}
