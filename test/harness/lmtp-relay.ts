// A relay between the proxies and one backend that can hold, slow and cut what is said, and knows what became of each connection.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Who ended a connection: the relay itself (`cut`; `swallow`: with a reply to a message in its hands), or one of the two. */
export type Ending = 'cut' | 'swallow' | 'backend' | 'proxy';

/** One connection; times in milliseconds since 1970. */
export interface Relayed {
  backend: string;
  /** The port from which the backend sees it come. */
  port: number;
  begun: number;
  ended: number | undefined;
  by: Ending | undefined;
  /** When the backend's words were last passed on. */
  passed: number;
}

/**
 * `hold`: nothing passes; `hold messages`: nothing that comes after a 354; `hold replies`: nothing that the backend says;
 * `dribble`: a little at a time.
 */
export type Pace = 'pass' | 'hold' | 'hold messages' | 'hold replies' | 'dribble';

/** Bytes kept for one direction of a connection; more is left with whoever sends it. */
const most = 262_144;
/** What dribbling lets through, in bytes, and how often, in milliseconds. */
const drop = 256;
const dropEvery = 20;

/** One direction of a connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #passed: () => void;
  #queue: Buffer[] = [];
  #bytes = 0;
  #over = false;

  constructor(from: Socket, to: Socket, passed: () => void) {
    this.#from = from;
    this.#to = to;
    this.#passed = passed;
    to.on('drain', () => from.resume());
  }

  take(chunk: Buffer, held: boolean): void {
    if (!held && this.#queue.length === 0) this.#send(chunk);
    else {
      this.#queue.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes > most) this.#from.pause();
    }
  }

  /** Nothing more comes; what was held still goes. */
  end(): void {
    this.#over = true;
    if (this.#queue.length === 0) this.#to.destroySoon();
  }

  release(bytes = Infinity): void {
    for (let rest = bytes; rest > 0;) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      if (first.length > rest) this.#queue.unshift(first.subarray(rest));
      const part = first.subarray(0, Math.min(first.length, rest));
      this.#bytes -= part.length;
      rest -= part.length;
      this.#send(part);
    }
    if (this.#bytes <= most && !this.#over) this.#from.resume();
    if (this.#over && this.#queue.length === 0) this.#to.destroySoon();
  }

  #send(chunk: Buffer): void {
    if (!this.#to.writable) return;
    this.#passed();
    if (!this.#to.write(chunk)) this.#from.pause();
  }
}

interface Pair {
  about: Relayed;
  forward: Pipe;
  back: Pipe;
  end: (by: Ending) => void;
}

export class LmtpRelay {
  readonly name: string;
  /** All connections, the ended ones included. */
  readonly connections: Relayed[] = [];
  /** The backend's port; undefined: nobody is there. */
  target: number | undefined;
  /** New connections are closed at once. */
  refusing = false;
  /** The next reply to a message is dropped, and its connection with it. */
  swallowing = false;
  #pace: Pace = 'pass';
  #drops: NodeJS.Timeout | undefined;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();

  private constructor(name: string) {
    this.name = name;
    this.#server = createServer((client) => {
      this.#serve(client);
    });
  }

  static async listen(name: string): Promise<LmtpRelay> {
    const relay = new LmtpRelay(name);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set pace(pace: Pace) {
    this.#pace = pace;
    clearInterval(this.#drops);
    if (pace === 'dribble') {
      this.#drops = setInterval(() => {
        for (const pair of this.#pairs) for (const pipe of [pair.forward, pair.back]) pipe.release(drop);
      }, dropEvery);
    }
    for (const { forward, back } of this.#pairs) {
      if (pace === 'pass' || pace === 'hold replies') forward.release();
      if (pace === 'pass' || pace === 'hold messages') back.release();
    }
  }

  cut(): void {
    for (const pair of [...this.#pairs]) pair.end('cut');
  }

  close(): void {
    this.#server.close();
    this.pace = 'pass';
    this.cut();
  }

  #serve(client: Socket): void {
    client.on('error', () => undefined);
    if (this.refusing || this.target === undefined) {
      client.destroy();
      return;
    }
    const backend = connect(this.target, '127.0.0.1');
    const about: Relayed = {
      ...{ backend: this.name, port: 0, begun: Date.now(), passed: 0, ended: undefined, by: undefined },
    };
    const passed = (): void => {
      about.passed = Date.now();
    };
    const forward = new Pipe(client, backend, () => undefined);
    const back = new Pipe(backend, client, passed);
    const end = (by: Ending): void => {
      if (about.ended !== undefined) return;
      about.ended = Date.now();
      about.by = by;
      if (by === 'cut' || by === 'swallow') for (const socket of [client, backend]) socket.destroy();
      // As the network would: what was under way arrives, though the sender is gone.
      else (by === 'proxy' ? forward : back).end();
    };
    const pair = { about, forward, back, end };
    this.#pairs.add(pair);
    for (const socket of [client, backend]) socket.setNoDelay(true);
    backend.on('error', () => undefined).on('connect', () => (about.port = backend.localPort ?? 0));
    for (const [socket, by] of [
      [client, 'proxy'],
      [backend, 'backend'],
    ] as const) {
      socket.on('close', () => {
        end(by);
        if (client.destroyed && backend.destroyed) this.#pairs.delete(pair);
      });
    }
    this.connections.push(about);
    let tail = '';
    let inMessage = false;
    client.on('data', (chunk) => {
      tail = (tail + chunk.subarray(-5).toString('latin1')).slice(-5);
      const held = this.#pace === 'hold messages' ? inMessage : this.#pace !== 'pass' && this.#pace !== 'hold replies';
      forward.take(chunk, held);
    });
    backend.on('data', (chunk) => {
      inMessage = /^354 [^\n]*\n$/m.test(chunk.toString('latin1'));
      if (this.swallowing && tail === '\r\n.\r\n') end('swallow');
      else back.take(chunk, this.#pace !== 'pass' && this.#pace !== 'hold messages');
    });
  }
}
