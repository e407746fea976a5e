// Copies under way in Redis: a key of each tree beside its rows, with the moment of its end. write.lua looks at it.
import type { Redis } from 'ioredis';
import type { Copies } from '../copies.ts';
import type { Bytes } from '../entry.ts';
import { placeOf } from '../tree.ts';
import { shardOf, shardPrefix } from './keys.ts';

export class RedisCopies implements Copies {
  readonly #redis: Redis;
  readonly #shards: number;
  readonly #clock: () => number;

  constructor(redis: Redis, shards: number, clock: () => number) {
    this.#redis = redis;
    this.#shards = shards;
    this.#clock = clock;
  }

  async begin(name: Bytes, milliseconds: number): Promise<void> {
    const ends = String(Math.round(this.#clock() + milliseconds));
    // Redis may forget it later than that, never earlier, whatever its clock says.
    await this.#redis.set(this.#keyOf(name), ends, 'PX', Math.round(milliseconds) + 60_000);
  }

  async end(name: Bytes): Promise<void> {
    await this.#redis.del(this.#keyOf(name));
  }

  #keyOf(name: Bytes): Buffer {
    const { tree } = placeOf(name);
    return Buffer.from(`${shardPrefix(shardOf(tree, this.#shards))}copy:${tree}`, 'latin1');
  }
}
