// The reading of one message: from the wire to its sink, as long as it may go there.
import { BodyScanner } from './message-body.ts';
import type { Abort, MessageSink } from './message-handler.ts';
import { ambiguousEnd, localError, tooBig } from './reply-codes.ts';
import type { Reply } from './reply.ts';

/** What became of a chunk. */
export interface Taken {
  /** Go on with the next chunk when this is resolved; undefined: at once. */
  wait: Promise<void> | undefined;
  /** Once the final dot was read: the bytes behind it. */
  rest: Buffer | undefined;
}

/**
 * Passes a message to its sink until the final dot, or until it may not be: too big, or with an ambiguous end. From then
 * on it is read and forgotten, so that the client hears its replies where it expects them (RFC 5321 section 4.2.5).
 */
export class BodyReader {
  /** A promise of the sink's is not resolved yet: the client is silent because of us. */
  waiting = false;
  readonly #scanner = new BodyScanner();
  readonly #sink: MessageSink;
  readonly #limit: number;
  #refused: Abort | undefined;
  #replies: Promise<readonly Reply[]> | undefined;

  /** `limit` in bytes; 0 for none. */
  constructor(sink: MessageSink, limit: number) {
    this.#sink = sink;
    this.#limit = limit;
  }

  get octets(): number {
    return this.#scanner.octets;
  }

  take(chunk: Buffer): Taken {
    const { body, rest } = this.#scanner.scan(chunk);
    if (this.#scanner.ambiguous) this.#refuse('ambiguous end');
    if (this.#limit > 0 && this.#scanner.octets > this.#limit) this.#refuse('too big');
    if (this.#refused !== undefined) return { wait: undefined, rest };
    if (rest !== undefined) {
      this.#replies = this.#sink.end(body.length > 0 ? body : undefined);
      // Whoever asks for the replies sees the rejection; nobody does when the client is lost.
      this.#replies.catch(() => undefined);
      return { wait: undefined, rest };
    }
    return { wait: body.length > 0 ? this.#pass(body) : undefined, rest };
  }

  /** The replies, after the final dot; one for each of `recipients`. Rejects when the sink failed. */
  async replies(recipients: number): Promise<readonly Reply[]> {
    const refusal = this.#refusal();
    const given = refusal === undefined ? ((await this.#replies) ?? []) : [];
    if (given.length === recipients) return given;
    return Array.from({ length: recipients }, (_, index) => refusal ?? given[index] ?? localError);
  }

  /** The client is gone. Does nothing after the final dot: then the message is whole, and under way. */
  lost(): void {
    if (this.#replies === undefined) this.#refuse('client lost');
  }

  /** The replies that were given may not have been heard by the client. */
  unheard(): void {
    if (this.#replies !== undefined) this.#sink.unheard?.();
  }

  #pass(body: Buffer): Promise<void> | undefined {
    const wait = this.#sink.write(body);
    if (wait === undefined) return undefined;
    this.waiting = true;
    return wait.finally(() => (this.waiting = false));
  }

  #refuse(why: Abort): void {
    if (this.#refused !== undefined) return;
    this.#refused = why;
    this.#sink.abort(why, this.#refusal());
  }

  #refusal(): Reply | undefined {
    if (this.#refused === 'too big') return tooBig(this.#limit);
    return this.#refused === 'ambiguous end' ? ambiguousEnd : undefined;
  }
}
