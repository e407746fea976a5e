// Where moves are kept in Redis, beside the queues: one at a time of a name, and which of them a run has ordered.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { commandConnection } from '../redis/connection.ts';
import { OpenRecords, UnreadableRecord } from '../redis/open-records.ts';
import { bytes, recordCodec } from '../redis/record-codec.ts';
import type { Move } from './move.ts';

type Redis = ReturnType<typeof commandConnection>;

/** Before the names of all keys of moves. */
export const prefix = 'rookery:{moves}:';

const place = z.strictObject({ server: bytes.min(1), partition: bytes });
const count = z.int().nonnegative();
const moment = z.exactOptional(z.int());
const times = z.strictObject({
  ...{ begun: moment, copied: moment, held: moment, released: moment, cut: moment, answered: moment, ended: moment },
});
const form: z.ZodType<Move> = z.strictObject({
  ...{ name: bytes.min(1), from: place, to: place, by: bytes, since: z.int(), run: z.exactOptional(z.string().min(1)) },
  state: z.enum(['open', 'done', 'back', 'refused', 'stopped']),
  ...{ cancelled: z.boolean(), attempts: count, tries: z.exactOptional(count), octets: count, messages: count, times },
  ...{ step: z.string(), note: z.string() },
});

/** A move as it was read: only as such may it be replaced. */
export interface Kept {
  move: Move;
  text: string;
}

/** What is kept as a move is none, or one of another version: a new one takes its place. */
export class UnreadableMove extends UnreadableRecord {
  override readonly name = 'UnreadableMove';
}

/** What became of an attempt to order a move. */
export type Placed = { is: 'placed' } | { is: 'open'; move: Move };

export class MoveStore {
  readonly #records: OpenRecords<Move>;

  /** `keepDone`: how long what is over can be asked for, in seconds. */
  constructor(redis: Redis, keepDone: number) {
    this.#records = new OpenRecords(redis, {
      keys: {
        ...{ record: `${prefix}move:`, open: `${prefix}open` },
        group: ({ run }) => (run === undefined ? undefined : runKey(run)),
      },
      ...{ codec: recordCodec(form), keepDone },
      unreadable: (name, text) =>
        new UnreadableMove(`the move of ${readable(name)} cannot be read: order it again`, text),
    });
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await this.#records.begun();
  }

  /**
   * Keeps a new move, unless another one of the same name is open: there is one at a time. What a run has ordered at that very
   * moment was placed before, and may be over: it is not begun twice.
   */
  async place(move: Move): Promise<Placed> {
    const before = await this.#records.place(move.name, (before) =>
      before && (before.state === 'open' || isSame(before, move)) ? undefined : move,
    );
    return before ? { is: 'open', move: before } : { is: 'placed' };
  }

  /**
   * The move of a name, open or over a while ago. Rejects when Redis does not answer; with UnreadableMove, once it is no more
   * among the open ones, where something else is kept there.
   */
  async read(name: Bytes): Promise<Kept | undefined> {
    const kept = await this.#records.read(name);
    return kept && { move: kept.record, text: kept.text };
  }

  /** Replaces a move by what it has become; undefined where somebody else was faster. */
  async replace(kept: Kept, move: Move): Promise<Kept | undefined> {
    const text = await this.#records.replace(kept.text, move);
    return text === undefined ? undefined : { move, text };
  }

  /** The names of open moves, those of the oldest first. */
  async open(most: number): Promise<Bytes[]> {
    return this.#records.open(most);
  }

  /** How many are open. */
  async openCount(): Promise<number> {
    return this.#records.openCount();
  }

  /** Those of these names, in no order; without what cannot be read. */
  async readAll(names: readonly Bytes[]): Promise<Move[]> {
    return this.#records.readAll(names);
  }

  /** The moves of a run, in no order. Those of names that were moved again since, in another run or in none, are not among them. */
  async ofRun(run: string): Promise<Move[]> {
    const moves = await this.#records.readGroup(runKey(run));
    return moves.filter((move) => move.run === run);
  }
}

/** Whether it is the same order of a run: a conductor may place it after another one has. */
function isSame(before: Move, { run, since }: Move): boolean {
  return run !== undefined && before.run === run && before.since === since;
}

function runKey(run: string): string {
  return `${prefix}of-run:${run}`;
}
