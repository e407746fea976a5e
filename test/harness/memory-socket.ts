// A connection without a network: what a listener takes for a socket, its other end in the hands of a test.
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

/** Pieces come to the server in turns of their own, as segments do; what it says is gathered. */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  heard = '';
  #onTimeout: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  /** As the server's side of a socket. */
  get socket(): Socket {
    return this as unknown as Socket;
  }

  override _read(): void {
    // The test pushes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.heard += chunk.toString('latin1');
    done();
  }

  /** As if the client had been silent for too long. */
  beSilent(): void {
    this.#onTimeout?.();
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(_ms: number, told?: () => void): this {
    this.#onTimeout = told;
    return this;
  }
}
