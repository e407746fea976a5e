// What follows the OK of UPDATE: each change as it happens, once, in order, as fast as the client reads.
import type { Change, Directory, Feed, Head, Position } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Resend } from './resend.ts';
import type { Wire } from './wire.ts';

export interface StreamOptions {
  directory: Directory;
  /** The changes that the client has seen. */
  from: Position;
  wire: Wire;
  /** The line of a change; empty when the client has not asked for it. */
  line: (change: Change) => Bytes;
  /** What is still to be sent of the list. */
  resend: Resend;
  lost: (reason: string) => void;
}

/**
 * Modes: following the change log; holding, while the wire is full, when the log is left and later followed from the
 * same place, so that nothing is kept in memory for a slow client; over.
 */
export class Stream {
  readonly #options: StreamOptions;
  /** The last change given to the wire, by shard. */
  readonly #seen: Head[];
  #feed: Feed | undefined;
  #over = false;
  #barriers: { head: Position; pass: () => void }[] = [];

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#seen = [...options.from];
    this.#follow();
  }

  /** Resolves once all changes accepted up to this call have been written, or the stream is over. */
  async barrier(): Promise<void> {
    const head = await this.#options.directory.head();
    if (this.#over || this.#reached(head)) return;
    await new Promise<void>((pass) => this.#barriers.push({ head, pass }));
  }

  close(): void {
    this.#over = true;
    this.#feed?.close();
    this.#feed = undefined;
    this.#options.resend.close();
    this.#pass(() => true);
  }

  #follow(): void {
    const turn = { over: false };
    const feed = this.#options.directory.follow([...this.#seen], {
      change: (change) => {
        if (turn.over || this.#over) return;
        this.#give(change);
        turn.over = this.#options.wire.full;
        if (turn.over) void this.#hold();
      },
      lost: (reason) => {
        if (turn.over || this.#over) return;
        this.close();
        this.#options.lost(reason);
      },
    });
    // A feed may have given changes before it was returned: enough of them to be left again, or to be over.
    if (turn.over || this.#isOver()) feed.close();
    else this.#feed = feed;
  }

  async #hold(): Promise<void> {
    this.#feed?.close();
    this.#feed = undefined;
    if (!(await this.#options.wire.room())) this.close();
    else if (!this.#over) this.#follow();
  }

  #give(change: Change): void {
    this.#options.resend.changed(change.name);
    this.#options.wire.write(this.#options.line(change));
    this.#seen[change.shard] = { seq: change.seq, nonce: change.nonce };
    if (this.#barriers.length > 0) this.#pass((head) => this.#reached(head));
  }

  #pass(due: (head: Position) => boolean): void {
    const passed = this.#barriers.filter(({ head }) => due(head));
    this.#barriers = this.#barriers.filter((barrier) => !passed.includes(barrier));
    for (const { pass } of passed) pass();
  }

  #reached(head: Position): boolean {
    return head.every(({ seq }, shard) => seq <= (this.#seen[shard]?.seq ?? 0));
  }

  #isOver(): boolean {
    return this.#over;
  }
}
