// The client's bytes cut into command lines and messages: smtp-server's stream, with both ways of reading replaced.
import type { Readable } from 'node:stream';
import { SMTPStream } from 'smtp-server/lib/smtp-stream';
import type { BodyReader } from './listener-body.ts';

/** Whom the parser tells. `next` is called when the parser may go on; at once or later. */
export interface ParserOwner {
  command(line: Buffer, next: () => void): void;
  /** A command line beyond the limit; the rest of it is dropped. */
  lineTooLong(): void;
  /** The final dot was read; `ahead`: something more has come behind it. */
  messageEnd(reader: BodyReader, ahead: boolean, next: () => void): void;
  /** All that has come is worked off (or a good deal of it): time to send what was answered. */
  pause(next: () => void): void;
  /** The client is gone, or has sent all that it ever will; what it has sent may still wait to be read. */
  left(): void;
  /** All that it has sent is worked off. */
  end(): void;
}

/** Commands worked off before others get their turn, when a client sends a great many at once. */
const commandsInARow = 100;
const nothing = Buffer.alloc(0);

/**
 * Commands end with LF, with or without CR. A message is handed on raw by its BodyReader, chunk by chunk. smtp-server's
 * own `_write` ends the session at a long line, and its `_feedDataStream` unstuffs dots also behind a bare LF and spends a
 * turn of the event loop on each stuffed line.
 */
export class LmtpParser extends SMTPStream {
  readonly #owner: ParserOwner;
  readonly #limit: number;
  #input: Buffer = nothing;
  #done: () => void = () => undefined;
  #reader: BodyReader | undefined;
  /** Inside a line that was too long. */
  #dropping = false;
  #inARow = 0;
  /** Since when it has been the client's turn: it has sent or been sent nothing since, in `performance.now()`. */
  turn = performance.now();

  /** `limit`: the longest command line in bytes, its end included. */
  constructor(owner: ParserOwner, limit: number) {
    super();
    this.#owner = owner;
    this.#limit = limit;
    this.on('finish', () => {
      owner.end();
    });
    this.on('pipe', (source: Readable) => {
      const left = (): void => {
        owner.left();
      };
      source.once('end', left).once('close', left);
    });
  }

  /** What follows is a message; commands come again after its final dot. */
  readBody(reader: BodyReader): void {
    this.#reader = reader;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | 'buffer', done: () => void): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    this.#done = done;
    this.turn = performance.now();
    this.#advance();
  }

  /** Nothing is left to be flushed: half a command is none. */
  override _flushData(): void {
    this.#input = nothing;
  }

  readonly #advance = (): void => {
    // Each turn of this loop works off one step that was answered at once; a later answer calls #advance again.
    for (;;) {
      if (this.isClosed) this.#input = nothing;
      const waiting = this.#reader === undefined ? this.#nextCommand() : this.#nextOfBody(this.#reader);
      if (waiting) return;
    }
  };

  /** Runs `step`; true when its `next` has not been called yet. */
  #waits(step: (next: () => void) => void): boolean {
    let called = false;
    let returned = false;
    step(() => {
      called = true;
      if (returned) this.#advance();
    });
    returned = true;
    return !called;
  }

  #nextCommand(): boolean {
    if (this.#inARow >= commandsInARow) {
      this.#inARow = 0;
      this.#owner.pause(() => setImmediate(this.#advance));
      return true;
    }
    const line = this.#line();
    if (line === undefined) {
      this.#inARow = 0;
      this.#owner.pause(this.#done);
      return true;
    }
    this.#inARow++;
    return this.#waits((next) => {
      this.#owner.command(line, next);
    });
  }

  #nextOfBody(reader: BodyReader): boolean {
    if (this.#input.length === 0) {
      this.#owner.pause(this.#done);
      return true;
    }
    const { wait, rest } = reader.take(this.#input);
    this.#input = rest ?? nothing;
    if (rest !== undefined) {
      this.#reader = undefined;
      return this.#waits((next) => {
        this.#owner.messageEnd(reader, rest.length > 0, next);
      });
    }
    if (wait === undefined) return false;
    void wait.then(this.#advance);
    return true;
  }

  /** The next whole line, without its end; lines beyond the limit are told of and dropped, with bounded memory. */
  #line(): Buffer | undefined {
    for (;;) {
      const end = this.#input.indexOf(10);
      const length = end < 0 ? this.#input.length : end + 1;
      const line = this.#input.subarray(0, end < 0 ? length : end);
      const tooLong = length > this.#limit && !this.#dropping;
      if (tooLong) this.#owner.lineTooLong();
      const drop = tooLong || this.#dropping;
      if (end < 0) {
        this.#dropping = drop;
        // A copy, so that half a line does not keep a whole read buffer.
        this.#input = drop ? nothing : Buffer.from(this.#input);
        return undefined;
      }
      this.#input = this.#input.subarray(length);
      this.#dropping = false;
      if (!drop) return line.at(-1) === 13 ? line.subarray(0, -1) : line;
    }
  }
}
