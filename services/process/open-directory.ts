// Opens the directory that the configuration names, for a role or for one command of an operator.
import type { Config } from '../config/schema.ts';
import { policyOf } from '../directory/rules.ts';
import { RedisDirectory } from '../directory/redis/redis-directory.ts';
import { blockingConnection, commandConnection, connected } from '../redis/connection.ts';
import { redisName, redisPlace } from './redis-access.ts';

/** Redis does not answer where the configuration says it is. */
export class DirectoryAway extends Error {
  override readonly name = 'DirectoryAway';
}

/**
 * Opens the directory, making it where there is none. Throws DirectoryAway when Redis does not answer. `onError` is told
 * of failures of the connections, which come back by themselves.
 */
export async function openDirectory(
  config: Config,
  onError: (error: Error) => void = () => undefined,
): Promise<RedisDirectory> {
  const place = redisPlace(config);
  const commandTimeout = config.directory.redis_timeout * 1000;
  const settings = { place, commandTimeout, onError };
  const commands = commandConnection(settings);
  try {
    await connected(commands, commandTimeout);
  } catch (error) {
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new DirectoryAway(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  const blocking = async () => {
    const connection = blockingConnection(settings);
    await connected(connection, commandTimeout);
    return connection;
  };
  return RedisDirectory.open({
    policy: policyOf(config.directory.policy, {
      reservationMaxAge: config.directory.reservation_max_age * 1000,
      reservationGrace: config.directory.reservation_grace * 1000,
      tombstoneGrace: config.directory.tombstone_grace * 1000,
    }),
    shards: config.directory.shards,
    changeLogLength: config.directory.change_log_length,
    ...{ commands, blocking, onError },
  });
}
