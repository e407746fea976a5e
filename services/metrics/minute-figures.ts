// What many processes see of the moves' effect, summed up by the minute in Redis: messages put off, and how backends answer. Each
// writes at most once a second, and nothing where nothing has happened.
import type { commandConnection } from '../redis/connection.ts';

type Redis = ReturnType<typeof commandConnection>;

/** They are kept with the moves, which stop by them. */
const prefix = 'rookery:{moves}:minute:';

/** How often what was seen is written, in milliseconds. */
const writeEvery = 1000;

/** A minute is kept for so long, in seconds: it is read for two. */
const keep = 180;

/** A mean of fewer answers says nothing. */
const fewest = 3;

const minute = 60_000;

export interface LastMinute {
  /** Messages put off because their mailbox is moved. */
  deferred: number;
  /** The slowest backend by its mean answer, in seconds; undefined: too few have answered. */
  slowest: { server: string; seconds: number } | undefined;
}

export class MinuteFigures {
  readonly #redis: Redis;
  readonly #clock: () => number;
  #seen = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `clock`: milliseconds since 1970. */
  constructor(redis: Redis, clock: () => number) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** A message was put off, for its mailbox is moved. */
  deferred(): void {
    this.#add('deferred', 1);
  }

  /** A backend has answered, or kept silent for so long, in milliseconds. */
  answered(server: string, milliseconds: number): void {
    this.#add(`answers ${server}`, 1);
    this.#add(`milliseconds ${server}`, Math.round(milliseconds));
  }

  /** Of the last minute, more or less: this one and the part of the one before that makes it whole. */
  async weather(servers: readonly string[]): Promise<LastMinute> {
    const now = this.#clock();
    const at = Math.floor(now / minute);
    const [current, before] = await Promise.all([this.#redis.hgetall(keyOf(at)), this.#redis.hgetall(keyOf(at - 1))]);
    const share = 1 - (now % minute) / minute;
    const figure = (field: string) => Number(current[field] ?? 0) + share * Number(before[field] ?? 0);
    const means = servers
      .map((server) => ({ server, answers: figure(`answers ${server}`), ms: figure(`milliseconds ${server}`) }))
      .filter(({ answers }) => answers >= fewest)
      .map(({ server, answers, ms }) => ({ server, seconds: ms / answers / 1000 }))
      .sort((a, b) => b.seconds - a.seconds);
    return { deferred: Math.floor(figure('deferred')), slowest: means[0] };
  }

  /** Writes what has not been written yet. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#write();
  }

  #add(field: string, by: number): void {
    this.#seen.set(field, (this.#seen.get(field) ?? 0) + by);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, writeEvery).unref();
  }

  /** What Redis does not take is lost: by the time it is back it is no more of the last minute. */
  async #write(): Promise<void> {
    const seen = this.#seen;
    this.#seen = new Map();
    if (seen.size === 0) return;
    const key = keyOf(Math.floor(this.#clock() / minute));
    const batch = this.#redis.pipeline();
    for (const [field, by] of seen) batch.hincrby(key, field, by);
    batch.expire(key, keep);
    await batch.exec().catch(() => undefined);
  }
}

function keyOf(at: number): string {
  return `${prefix}${at}`;
}
