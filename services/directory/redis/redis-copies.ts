// Copies of trees in Redis: a key of each tree beside its rows, which write.lua looks at.
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

  begin(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, `+ ${destination}`, milliseconds);
  }

  made(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, `- ${destination}`, milliseconds);
  }

  async end(name: Bytes): Promise<void> {
    await this.#redis.del(this.#keyOf(name));
  }

  /** Its end, `+` while it is made and `-` after that, its destination. */
  async #note(name: Bytes, copy: Bytes, milliseconds: number): Promise<void> {
    const value = Buffer.from(`${Math.round(this.#clock() + milliseconds)} ${copy}`, 'latin1');
    // Redis may forget it later than that, never earlier.
    await this.#redis.set(this.#keyOf(name), value, 'PX', Math.round(milliseconds) + 60_000);
  }

  #keyOf(name: Bytes): Buffer {
    const { tree } = placeOf(name);
    return Buffer.from(`${shardPrefix(shardOf(tree, this.#shards))}copy:${tree}`, 'latin1');
  }
}
