// The decisions on where users went, kept for a while in the events' Redis: for whoever asks why.
import type { Bytes } from '../address/bytes.ts';
import type { Decision } from '../placement/decision.ts';
import type { commandConnection } from '../redis/connection.ts';
import { nameInKey } from '../redis/open-records.ts';

type Redis = ReturnType<typeof commandConnection>;

export class DecisionStore {
  readonly #redis: Redis;
  readonly #keptFor: number;

  /** `keptFor` in seconds. */
  constructor(redis: Redis, keptFor: number) {
    this.#redis = redis;
    this.#keptFor = keptFor;
  }

  /** Keeps the last decision on a user. */
  async keep(name: Bytes, decision: Decision): Promise<void> {
    await this.#redis.set(keyOf(name), JSON.stringify(decision), 'EX', this.#keptFor);
  }

  /** Undefined where none is known (any more). */
  async read(name: Bytes): Promise<Decision | undefined> {
    const text = await this.#redis.get(keyOf(name));
    return text === null ? undefined : (JSON.parse(text) as Decision);
  }
}

function keyOf(name: Bytes): string {
  return `rookery:{placement}:decision:${nameInKey(name)}`;
}
