// What one backend has not taken yet, in a file: read from there at its own pace.
import type { Socket } from 'node:net';
import type { SpoolFile } from './spool.ts';

/** Read from the file at once, in bytes. */
const piece = 65_536;

/** As much of a session as it takes to send to it. */
interface Receiver {
  readonly failure: unknown;
  readonly socket: Socket;
}

export class Overflow {
  readonly #file: SpoolFile;
  #at: number;
  #ended = false;
  #wake: () => void = () => undefined;

  /** Begins behind what the file has now. */
  constructor(file: SpoolFile) {
    this.#file = file;
    this.#at = file.length;
  }

  /** More was written to the file. */
  grown(): void {
    this.#wake();
  }

  /** No more will be. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /**
   * Sends what is there and what comes, up to the end; resolves to false when the session is over before. `stall` is told
   * when the backend makes us wait, and when it goes on. Rejects when the file can't be read.
   */
  async sendTo(session: Receiver, stall: (waiting: boolean) => void): Promise<boolean> {
    const isOver = () => session.failure !== undefined;
    while (!isOver()) {
      if (session.socket.writableNeedDrain) {
        stall(true);
        await drained(session.socket);
        stall(false);
        continue;
      }
      const chunk = await this.#file.read(this.#at, piece);
      if (isOver()) break;
      this.#at += chunk.length;
      if (chunk.length > 0) session.socket.write(chunk);
      else if (this.#ended) return true;
      else await new Promise<void>((wake) => (this.#wake = wake));
    }
    return false;
  }
}

/** Resolves when the socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}
