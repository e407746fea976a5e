// Moves in Redis, beside the queues: kept before anything is done, so that a worker that dies leaves its place to the next.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { connected } from '../redis/connection.ts';
import type { commandConnection } from '../redis/connection.ts';
import type { Move } from './move.ts';

type Redis = ReturnType<typeof commandConnection>;

/** Before the names of all keys of moves. */
export const prefix = 'rookery:{moves}:';
const openKey = `${prefix}open`;

/** How long Redis may take to answer at first, in milliseconds. */
const commandTimeout = 5000;

/** How many are read in one go. */
const batch = 500;

const bytes = z.string().regex(/^[\x00-\xff]*$/);
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

/**
 * KEYS = the move, the open moves, those of its run. ARGV = what was read, or empty, what it becomes, the name, since, its
 * state, how long one that is over is kept, in seconds, '1' when it is of a run. A move that is not as it was read any more is
 * somebody else's work.
 */
const replaceScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[7] == '1' then redis.call('SADD', KEYS[3], ARGV[3]) end
if ARGV[5] == 'open' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
  if ARGV[7] == '1' then redis.call('PERSIST', KEYS[3]) end
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[6])
  redis.call('ZREM', KEYS[2], ARGV[3])
  if ARGV[7] == '1' then redis.call('EXPIRE', KEYS[3], ARGV[6]) end
end
return 1`;

/** Closes a move without a change to it. KEYS = the move, the open moves. ARGV = what was read, the name. */
const closeScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('ZREM', KEYS[2], ARGV[2]) end`;

/** A move as it was read: only as such may it be replaced. */
export interface Kept {
  move: Move;
  text: string;
}

/** What is kept as a move is none, or one of another version: a new one takes its place. */
export class UnreadableMove extends Error {
  override readonly name = 'UnreadableMove';
  readonly kind = 'refused';
  readonly text: string;

  constructor(name: Bytes, text: string) {
    super(`the move of ${readable(name)} cannot be read: order it again`);
    this.text = text;
  }
}

/** What became of an attempt to order a move. */
export type Placed = { is: 'placed' } | { is: 'open'; move: Move };

export class MoveStore {
  readonly #redis: Redis;
  readonly #keepDone: number;

  /** `keepDone`: how long what is over can be asked for, in seconds. */
  constructor(redis: Redis, keepDone: number) {
    this.#redis = redis;
    this.#keepDone = keepDone;
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await connected(this.#redis, commandTimeout);
  }

  /**
   * Keeps a new move, unless another one of the same name is open: there is one at a time. What a run has ordered at that very
   * moment was placed before, and may be over: it is not begun twice.
   */
  async place(move: Move): Promise<Placed> {
    for (;;) {
      const text = await this.#redis.get(keyOf(move.name));
      const before = text === null ? undefined : moveIn(text);
      if (before && (before.state === 'open' || isSame(before, move))) return { is: 'open', move: before };
      if (await this.#replace(text ?? '', move)) return { is: 'placed' };
    }
  }

  /**
   * The move of a name, open or over a while ago. Rejects when Redis does not answer; with UnreadableMove, once it is no more
   * among the open ones, where something else is kept there.
   */
  async read(name: Bytes): Promise<Kept | undefined> {
    const text = await this.#redis.get(keyOf(name));
    if (text === null) return undefined;
    const move = moveIn(text);
    if (move) return { move, text };
    await this.#redis.call('EVAL', [closeScript, 2, keyOf(name), openKey, text, Buffer.from(name, 'latin1')]);
    throw new UnreadableMove(name, text);
  }

  /** Replaces a move by what it has become; undefined where somebody else was faster. */
  async replace(kept: Kept, move: Move): Promise<Kept | undefined> {
    return (await this.#replace(kept.text, move)) ? { move, text: written(move) } : undefined;
  }

  /** The names of open moves, those of the oldest first. */
  async open(most: number): Promise<Bytes[]> {
    const names = await this.#redis.zrangeBuffer(openKey, '0', String(most - 1));
    return names.map((name) => name.toString('latin1'));
  }

  /** How many are open. */
  async openCount(): Promise<number> {
    return this.#redis.zcard(openKey);
  }

  /** Those of these names, in no order; without what cannot be read. */
  async readAll(names: readonly Bytes[]): Promise<Move[]> {
    const moves: Move[] = [];
    for (let at = 0; at < names.length; at += batch) {
      const texts = await this.#redis.mget(names.slice(at, at + batch).map(keyOf));
      for (const text of texts) {
        const move = typeof text === 'string' ? moveIn(text) : undefined;
        if (move) moves.push(move);
      }
    }
    return moves;
  }

  /** The moves of a run, in no order. Those of names that were moved again since, in another run or in none, are not among them. */
  async ofRun(run: string): Promise<Move[]> {
    const names = await this.#redis.smembersBuffer(runKey(run));
    const moves = await this.readAll(names.map((name) => name.toString('latin1')));
    return moves.filter((move) => move.run === run);
  }

  async #replace(text: string, move: Move): Promise<boolean> {
    const name = Buffer.from(move.name, 'latin1');
    const keys = [keyOf(move.name), openKey, runKey(move.run ?? '')];
    const keep = [move.since, move.state, this.#keepDone, move.run === undefined ? '0' : '1'];
    const args = [...keys, text, written(move), name, ...keep];
    return (await this.#redis.call('EVAL', [replaceScript, 3, ...args])) === 1;
  }
}

/** Whether it is the same order of a run: a conductor may place it after another one has. */
function isSame(before: Move, { run, since }: Move): boolean {
  return run !== undefined && before.run === run && before.since === since;
}

function keyOf(name: Bytes): string {
  return `${prefix}move:${Buffer.from(name, 'latin1').toString('base64url')}`;
}

function runKey(run: string): string {
  return `${prefix}of-run:${run}`;
}

/** Throws where it could not be read again: better now than ever after. */
function written(move: Move): string {
  return JSON.stringify({ v: 1, ...form.parse(move) });
}

/** Undefined where it is none. */
function moveIn(text: string): Move | undefined {
  try {
    const { v, ...move } = z.looseObject({ v: z.literal(1) }).parse(JSON.parse(text));
    return form.parse(move);
  } catch {
    return undefined;
  }
}
