// What the directory has that is asked for seldom, and by operators only: trees by server, and all leases. Over a connection
// of its own, for it may take a while.
import type { Redis } from 'ioredis';
import type { Bytes } from '../entry.ts';
import { shardPrefix } from './keys.ts';

/** A lease on a tree that holds now. */
export interface HeldLease {
  tree: Bytes;
  destination: Bytes;
}

/** How many keys are looked at in one call. */
const atOnce = 1000;

export class Holdings {
  readonly #redis: Redis;
  readonly #shards: number;

  constructor(redis: Redis, shards: number) {
    this.#redis = redis;
    this.#shards = shards;
  }

  /** In how many trees a server has rows, in any state. */
  async trees(server: Bytes): Promise<number> {
    const counts = this.#prefixes().map((prefix) =>
      this.#redis.hlen(Buffer.from(`${prefix}server:${server}`, 'latin1')),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /** All leases. Walks through all keys of Redis, a thousand at a time. */
  async leases(): Promise<HeldLease[]> {
    const found = new Map<Bytes, Bytes>();
    for (const prefix of this.#prefixes()) {
      const start = `${prefix}lease:`;
      let cursor = '0';
      do {
        const [next, keys] = await this.#redis.scanBuffer(cursor, 'MATCH', `${start}*`, 'COUNT', atOnce);
        cursor = next.toString();
        for (const key of keys) {
          const said = (await this.#redis.getBuffer(key))?.toString('latin1') ?? '';
          const destination = /^\d+ [^ ]* (.*)$/s.exec(said)?.[1];
          if (destination !== undefined) found.set(key.toString('latin1').slice(start.length), destination);
        }
      } while (cursor !== '0');
    }
    return Array.from(found, ([tree, destination]) => ({ tree, destination }));
  }

  #prefixes(): string[] {
    return Array.from({ length: this.#shards }, (_, shard) => shardPrefix(shard));
  }
}
