// One socket in both directions, with bounds: what waits to be executed, and what waits to be read by the other side.
import type { Socket } from 'node:net';
import type { Bytes } from '../directory/entry.ts';

/** Octets received and not yet taken, above which the socket is read no further. */
const inputLimit = 65_536;

/** Milliseconds that the other side may take to close after us. */
const lingerTimeout = 5000;

export interface WireOptions {
  /** Octets written and not yet sent, above which the wire is full. */
  outputLimit: number;
  /** Milliseconds that a full wire may stay so; then it is cut and `stalled` called. */
  stallTimeout: number;
  stalled: () => void;
}

/**
 * What has been received stays to be read when the other side has closed, or reset, the connection meanwhile: Cyrus
 * often closes right behind its last command.
 */
export class Wire {
  readonly #socket: Socket;
  readonly #options: WireOptions;
  #input: Bytes[] = [];
  #waiting = 0;
  #ended = false;
  #closing = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, options: WireOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setEncoding('latin1');
    socket.on('data', (bytes) => {
      this.#received(bytes.toString());
    });
    const ended = (): void => {
      this.#end();
    };
    socket.on('end', ended);
    socket.on('close', ended);
    // Whatever the error, the connection is over; reading and writing say so.
    socket.on('error', ended);
  }

  /** The next bytes; undefined once all have been read and no more will come. */
  async read(): Promise<Bytes | undefined> {
    while (this.#input.length === 0 && !this.#ended) await new Promise<void>((wake) => (this.#wake = wake));
    const bytes = this.#input.shift();
    this.#waiting -= bytes?.length ?? 0;
    if (this.#waiting <= inputLimit && this.#socket.isPaused()) this.#socket.resume();
    return bytes;
  }

  /** Sends, or does nothing when the connection is over. */
  write(bytes: Bytes): void {
    if (bytes !== '' && this.#socket.writable) this.#socket.write(bytes, 'latin1');
  }

  get full(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > this.#options.outputLimit;
  }

  get open(): boolean {
    return this.#socket.writable;
  }

  /** Resolves when the wire is not full: to true, or to false when the connection is over. */
  async room(): Promise<boolean> {
    if (this.open && this.full) await this.#drained();
    return this.open;
  }

  /**
   * Ends our direction after what was written, and forgets what the other side still sends. Once is enough: to destroy the
   * socket under what the other side is sending would reset it there, and take away what it has not read yet.
   */
  close(): void {
    this.#forget();
    if (this.#closing) return;
    this.#closing = true;
    if (!this.#socket.writable) {
      this.destroy();
      return;
    }
    this.#socket.end();
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), lingerTimeout);
    this.#socket.once('end', () => {
      this.#socket.destroySoon();
    });
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }

  destroy(): void {
    this.#forget();
    this.#socket.destroy();
  }

  #received(bytes: Bytes): void {
    if (this.#ended) return;
    this.#input.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting > inputLimit) this.#socket.pause();
    this.#wake();
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #forget(): void {
    this.#input = [];
    this.#waiting = 0;
    this.#end();
  }

  async #drained(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let wake: () => void = () => undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#socket.once('drain', wake).once('close', wake);
      timer = setTimeout(() => {
        if (!this.#socket.destroyed) this.#options.stalled();
        this.destroy();
      }, this.#options.stallTimeout);
    });
    clearTimeout(timer);
    this.#socket.off('drain', wake).off('close', wake);
  }
}
