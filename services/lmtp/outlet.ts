// The bytes of one message on their way to one backend: kept, sent, or read from a file, and never more of them than allowed.
import type { Socket } from 'node:net';
import type { MemoryLimit } from './memory-limit.ts';
import { Overflow } from './overflow.ts';
import type { SpoolFile } from './spool.ts';

/** As much of a session as it takes to send to it. */
export interface Receiver {
  readonly failure: unknown;
  readonly socket: Socket;
  fail(why: string): unknown;
}

export interface OutletOwner {
  /** The backend makes the message wait, or takes more of it again. */
  stalled(waiting: boolean): void;
  /** The final dot is on its way. */
  sent(): void;
}

const finalDot = Buffer.from('.\r\n');

export class Outlet {
  readonly #owner: OutletOwner;
  readonly #buffer: number;
  readonly #memory: MemoryLimit;
  /** What could not be sent yet; undefined once the backend takes the message, or never will. */
  #queue: Buffer[] | undefined;
  #session: Receiver | undefined;
  #overflow: Overflow | undefined;
  /** Bytes in `#queue`, or in the socket when it has more than it takes at once; and how many of them the limit knows of. */
  #held = 0;
  #counted = 0;
  #counts: boolean;
  #ended = false;
  #draining = false;
  #room: (() => void) | undefined;

  /**
   * `first` goes before the message; `buffer` bytes are held at most. `counts`: they count for the process' limit. A
   * message that waits for its own end must not wait for others meanwhile: it does not count before it is `counted`.
   */
  constructor(owner: OutletOwner, first: Buffer, buffer: number, memory: MemoryLimit, counts: boolean) {
    this.#owner = owner;
    this.#buffer = buffer;
    this.#memory = memory;
    this.#counts = counts;
    this.#queue = [first];
  }

  /** The message waits for it: it has all that it may hold. */
  get isFull(): boolean {
    return this.#room !== undefined;
  }

  /** It takes the message, or will. */
  get isLive(): boolean {
    return this.#queue !== undefined || this.#taking() !== undefined;
  }

  /** Something of the message was sent. */
  get hasBegun(): boolean {
    return this.#session !== undefined;
  }

  /** What is held counts from now on. */
  count(): void {
    this.#counts = true;
    this.#hold(this.#held);
  }

  /** The backend waits for the message. */
  start(session: Receiver): void {
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    this.#session = session;
    session.socket.cork();
    for (const chunk of queue) session.socket.write(chunk);
    if (this.#ended && this.#overflow === undefined) this.#sendDot(session);
    session.socket.uncork();
    this.#hold(0);
    if (this.#overflow !== undefined) this.#sendOverflow(session, this.#overflow);
    else if (!this.#waits(session) || this.#ended) this.#makeRoom();
  }

  /** See MessageSink; one that is over takes everything, and forgets it. One that has overflowed reads the file instead. */
  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#overflow !== undefined) return undefined;
    if (this.#queue !== undefined) {
      this.#queue.push(chunk);
      this.#hold(this.#held + chunk.length);
      return this.#held > this.#buffer ? this.#untilRoom() : undefined;
    }
    const session = this.#taking();
    if (session === undefined) return undefined;
    session.socket.write(chunk);
    return this.#waits(session) ? this.#untilRoom() : undefined;
  }

  /** From here on the message is in a file, behind its present end; written there by whoever calls this. */
  overflowTo(file: SpoolFile): void {
    this.#overflow = new Overflow(file);
    const session = this.#taking();
    if (session === undefined) this.#makeRoom();
    else this.#sendOverflow(session, this.#overflow);
  }

  /** The file has grown. */
  grown(): void {
    this.#overflow?.grown();
  }

  /** The message is whole. */
  end(last: Buffer | undefined): void {
    this.#ended = true;
    if (this.#overflow !== undefined) this.#overflow.end();
    else if (this.#queue !== undefined) {
      if (last !== undefined) this.#queue.push(last);
    } else {
      const session = this.#taking();
      if (session === undefined) return;
      session.socket.cork();
      if (last !== undefined) session.socket.write(last);
      this.#sendDot(session);
      session.socket.uncork();
      this.#waits(session);
    }
  }

  /** Nothing more is sent, and nothing held. */
  close(): void {
    this.#queue = undefined;
    this.#session = undefined;
    this.#overflow?.end();
    this.#hold(0);
    this.#makeRoom();
  }

  /** The session, while it takes the message. */
  #taking(): Receiver | undefined {
    return this.#session?.failure === undefined ? this.#session : undefined;
  }

  /** Whether the message has to wait for the backend; what the socket holds counts from then on, until it is drained. */
  #waits({ socket }: Receiver): boolean {
    if (!socket.writableNeedDrain) return false;
    const isFull = socket.writableLength > this.#buffer;
    if (isFull && !this.#ended) this.#owner.stalled(true);
    this.#hold(socket.writableLength);
    if (this.#draining) return isFull;
    this.#draining = true;
    socket.once('drain', () => {
      this.#draining = false;
      if (!this.#ended) this.#owner.stalled(false);
      this.#hold(0);
      this.#makeRoom();
    });
    return isFull;
  }

  #sendDot(session: Receiver): void {
    session.socket.write(finalDot);
    this.#owner.sent();
  }

  #sendOverflow(session: Receiver, overflow: Overflow): void {
    const stalled = (waiting: boolean) => {
      if (this.#taking() !== undefined) this.#owner.stalled(waiting);
    };
    overflow.sendTo(session, stalled).then(
      (whole) => {
        if (whole && this.#taking() !== undefined) this.#sendDot(session);
      },
      () => session.fail('what was kept for it could not be read'),
    );
    this.#makeRoom();
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve) => (this.#room = resolve));
  }

  #makeRoom(): void {
    const resolve = this.#room;
    this.#room = undefined;
    resolve?.();
  }

  #hold(bytes: number): void {
    this.#held = bytes;
    if (!this.#counts || bytes === this.#counted) return;
    this.#memory.change(bytes - this.#counted);
    this.#counted = bytes;
  }
}
