// The real directory for a test: on a Redis at a socket, with connections that go when the test does.
import { connected, blockingConnection, commandConnection } from '../../services/redis/connection.ts';
import { RedisDirectory } from '../../services/directory/redis/redis-directory.ts';
import type { RedisDirectoryOptions } from '../../services/directory/redis/redis-directory.ts';
import { policyOf } from '../../services/directory/rules.ts';
import type { Redis } from 'ioredis';
import type { Bytes } from '../../services/directory/entry.ts';

export interface ScratchDirectory {
  directory: RedisDirectory;
  redis: Redis;
  close(): Promise<void>;
}

/** Opens the directory of the Redis at this socket: policy strict, one shard, unless the options say otherwise. */
export async function openScratchDirectory(
  socket: string,
  options: Partial<Omit<RedisDirectoryOptions, 'commands' | 'blocking'>> = {},
): Promise<ScratchDirectory> {
  const settings = { place: { socket }, commandTimeout: 5000, onError: () => undefined };
  const redis = commandConnection(settings);
  await connected(redis, 5000);
  const blocking = async () => {
    const connection = blockingConnection(settings);
    await connected(connection, 5000);
    return connection;
  };
  const directory = await RedisDirectory.open({
    ...{ policy: policyOf('strict'), shards: 1, changeLogLength: 100_000, onError: () => undefined },
    ...{ ...options, commands: redis, blocking },
  });
  return { directory, redis, close: () => directory.close() };
}

/** Who writes what a test begins with. */
export const writer = { session: 's1', admin: true, push: false };

/** Makes these mailboxes at their places, and those of `reserved` on their way; then `more` may write. */
export async function fillDirectory(
  socket: string,
  rows: readonly (readonly [name: Bytes, location: Bytes])[],
  reserved: readonly (readonly [name: Bytes, location: Bytes])[] = [],
  more: (directory: RedisDirectory) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const scratch = await openScratchDirectory(socket);
  const { directory } = scratch;
  for (const [name, location] of rows) {
    await directory.write({ verb: 'ACTIVATE', name, location, acl: 'jdoe\tlrs\t' }, writer);
  }
  for (const [name, location] of reserved) {
    await directory.write({ verb: 'RESERVE', name, location, acl: '' }, writer);
  }
  await more(directory);
  await scratch.close();
}
