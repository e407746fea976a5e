// One client of the socketmap: its questions one after the other, each answered before the next is looked at.
import type { Socket } from 'node:net';
import { readable } from '../address/bytes.ts';
import type { Answered } from './maps.ts';
import { RequestReader, wireText } from './socketmap.ts';
import type { Answer, Next, Request } from './socketmap.ts';

/** Why a connection was closed by us, but for stopping. */
export type Closing = 'timeout' | 'malformed' | 'limit';

export interface ConnectionOptions {
  peer: string;
  requestLimit: number;
  /** Milliseconds. */
  idleTimeout: number;
  ask: (request: Request) => Promise<Answered>;
  /** Told after each answer, with how long it took in milliseconds. */
  answered: (answered: Answered, request: Request, tookMs: number) => void;
  closed: (why: Closing, text: string) => void;
  /** Told when it begins to wait for a question, and when it no longer does. */
  waits: (waiting: boolean) => void;
}

/** How long a client that was told why it is hung up on may take to hang up itself, in milliseconds. */
const linger = 1000;

export class Connection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #reader: RequestReader;
  #timer: NodeJS.Timeout | undefined;
  #waiting = false;
  #stopping = false;
  /** Whether it has ever asked anything. */
  asked = false;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new RequestReader(options.requestLimit);
    // What fails on the way out also ends the reading below.
    socket.on('error', () => undefined);
  }

  /** Until the client goes, or is hung up on. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#wait();
      for await (const piece of this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        this.#reader.take(piece.toString('latin1'));
        if (!(await this.#answerAll())) break;
      }
      await this.#hangUp();
    } catch {
      // The client is gone.
    } finally {
      this.#busy();
      this.#socket.destroy();
    }
  }

  /** Ends when what was asked has been answered; at once when nothing was. */
  stop(): void {
    this.#stopping = true;
    if (this.#waiting) this.#socket.destroy();
  }

  /** Makes room for another client. */
  giveWay(): void {
    this.#options.closed('limit', 'closed to make room for another connection');
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Whether more may follow. */
  async #answerAll(): Promise<boolean> {
    for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
      if (this.#socket.destroyed) return false;
      this.#busy();
      if (!(await this.#answer(next))) return false;
      if (this.#stopping) return false;
      this.#wait();
    }
    return true;
  }

  async #answer(next: Next): Promise<boolean> {
    if ('request' in next) {
      this.asked = true;
      const begun = performance.now();
      const answered = await this.#options.ask(next.request);
      await this.#write(answered.answer);
      this.#options.answered(answered, next.request, performance.now() - begun);
      return true;
    }
    const reason = 'unfit' in next ? next.unfit : next.malformed;
    await this.#write({ status: 'PERM', reason });
    if ('unfit' in next) return true;
    this.#options.closed('malformed', readable(reason));
    return false;
  }

  /** Resolves when the client may be sent more: one that does not read is not asked what else it wants. */
  async #write(answer: Answer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(wireText(answer), 'latin1')) return;
    this.#startTimer();
    await new Promise<void>((resolve) => {
      this.#socket.once('drain', resolve).once('close', resolve);
    });
    this.#stopTimer();
  }

  /**
   * Says all there is to say, and gives the client time to read it: closing on unread bytes would take it back. Meanwhile
   * it is the first to give way.
   */
  async #hangUp(): Promise<void> {
    this.#busy();
    if (this.#socket.destroyed) return;
    this.asked = false;
    this.#options.waits(true);
    const closed = new Promise<void>((resolve) => {
      this.#socket.once('close', () => {
        resolve();
      });
    });
    const timer = setTimeout(() => this.#socket.destroy(), linger);
    this.#socket.resume().end();
    await closed;
    clearTimeout(timer);
  }

  #wait(): void {
    this.#waiting = true;
    this.#startTimer();
    this.#options.waits(true);
  }

  #busy(): void {
    this.#waiting = false;
    this.#stopTimer();
    this.#options.waits(false);
  }

  /** Not started anew by each octet: whoever sends one now and then is not at work. */
  #startTimer(): void {
    this.#stopTimer();
    this.#timer = setTimeout(() => {
      this.#options.closed('timeout', `nothing whole came, or was read, in ${this.#options.idleTimeout} ms`);
      this.#socket.destroy();
    }, this.#options.idleTimeout);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
  }
}
