// Routing leases in Redis: a key of each reader that ends by itself, and the set of readers to find them by.
import type { Redis } from 'ioredis';
import type { Position } from '../directory.ts';
import type { RoutingLease, RoutingLeases } from '../routing-lease.ts';
import type { ChangeLog } from './change-log.ts';
import { keyNames, shardPrefix } from './keys.ts';

const prefix = shardPrefix(0);
/** After so many milliseconds a reader that has not shown itself is no more looked for: longer than any lease, whatever the clocks. */
const forgotten = 86_400_000;

const keyOf = (reader: string) => `${prefix}routing:${reader}`;

export class RedisRoutingLeases implements RoutingLeases {
  readonly #redis: Redis;
  readonly #logs: readonly ChangeLog[];

  constructor(redis: Redis, logs: readonly ChangeLog[]) {
    this.#redis = redis;
    this.#logs = logs;
  }

  /** The log's end is read last: a lease that it is past was taken when everybody could see this one. */
  async renew({ reader, seen }: RoutingLease, milliseconds: number): Promise<Position> {
    await Promise.all([
      this.#redis.zadd(prefix + keyNames.readers, Date.now(), reader),
      this.#redis.set(keyOf(reader), seen.join(' '), 'PX', Math.round(milliseconds)),
    ]);
    return Promise.all(this.#logs.map((log) => log.head(this.#redis)));
  }

  async end(reader: string): Promise<void> {
    await this.#redis.del(keyOf(reader));
    await this.#redis.zrem(prefix + keyNames.readers, reader);
  }

  async held(): Promise<RoutingLease[]> {
    const key = prefix + keyNames.readers;
    await this.#redis.zremrangebyscore(key, '-inf', Date.now() - forgotten);
    const readers = await this.#redis.zrange(key, '0', '-1');
    const found = readers.length === 0 ? [] : await this.#redis.mget(readers.map(keyOf));
    return readers.flatMap((reader, at) => {
      const seen = found[at];
      return typeof seen === 'string' ? { reader, seen: seen.split(' ').filter(Boolean).map(Number) } : [];
    });
  }
}
