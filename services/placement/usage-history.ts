// How full the backends were: the newest figures of each, kept in the events' Redis.
import { z } from 'zod';
import type { commandConnection } from '../redis/connection.ts';
import type { UsageFigure } from './usage.ts';

type Redis = ReturnType<typeof commandConnection>;

const space = z.object({ availableKiB: z.number().min(0), totalKiB: z.number().min(0) });
const stored: z.ZodType<UsageFigure> = z.object({
  ...{ server: z.string(), at: z.number(), answered: z.boolean() },
  ...{ total: z.exactOptional(space), emptiest: z.exactOptional(space) },
  partitions: z.array(space.extend({ name: z.string(), filesystem: z.exactOptional(z.string()) })),
  error: z.exactOptional(z.string()),
});

export interface Latest {
  server: string;
  /** The newest figure, whether or not it is an answer; undefined when the backend was never asked. */
  figure: UsageFigure | undefined;
  /** Whether there is no answer: it was never asked, or has not answered the last time. */
  silent: boolean;
  /** The newest answer, which may be old: `at` tells. */
  answer: UsageFigure | undefined;
}

export class UsageHistory {
  readonly #redis: Redis;
  readonly #length: number;

  /** `length`: how many figures of a backend are kept. */
  constructor(redis: Redis, length: number) {
    this.#redis = redis;
    this.#length = length;
  }

  /** Keeps a figure. */
  async add(figure: UsageFigure): Promise<void> {
    const text = JSON.stringify(figure);
    const all = this.#redis.multi().lpush(listOf(figure.server), text);
    all.ltrim(listOf(figure.server), 0, this.#length - 1);
    if (figure.answered) all.hset(answers, figure.server, text);
    const replies = await all.exec();
    const failed = replies?.find(([error]) => error !== null)?.[0];
    if (!replies || failed) throw failed ?? new Error('Redis has not kept the figure');
  }

  /** The state of each of these servers, in their order. */
  async latest(servers: readonly string[]): Promise<Latest[]> {
    return Promise.all(
      servers.map(async (server) => {
        const [newest, answer] = await Promise.all([
          this.#redis.lindex(listOf(server), 0),
          this.#redis.hget(answers, server),
        ]);
        const figure = read(newest);
        return { server, figure, silent: figure?.answered !== true, answer: read(answer) };
      }),
    );
  }

  /** The newest figures of a server, newest first, at most `limit`. */
  async history(server: string, limit: number): Promise<UsageFigure[]> {
    if (limit < 1) return [];
    const texts = await this.#redis.lrange(listOf(server), 0, limit - 1);
    return texts.flatMap((text) => read(text) ?? []);
  }
}

const answers = 'rookery:{usage}:answers';

function listOf(server: string): string {
  return `rookery:{usage}:figures:${server}`;
}

/** A figure that another version has written, or somebody else, is none. */
function read(text: string | null): UsageFigure | undefined {
  if (text === null) return undefined;
  try {
    return stored.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
