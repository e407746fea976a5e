// Opens what is remembered of the backends' room, for one command of an operator.
import type { Config } from '../config/schema.ts';
import { UsageHistory } from '../placement/usage-history.ts';
import { commandConnection, connected } from '../redis/connection.ts';
import { eventsPlace, redisName } from './redis-access.ts';

/** How long Redis may take to answer, in milliseconds: an operator waits for it. */
const patience = 5000;

/** Rejects, naming the place, when Redis does not answer. */
export async function openUsage(config: Config): Promise<{ usage: UsageHistory; close(): Promise<void> }> {
  const place = eventsPlace(config);
  const redis = commandConnection({ place, commandTimeout: patience, onError: () => undefined });
  const close = () => {
    redis.disconnect();
    return Promise.resolve();
  };
  try {
    await connected(redis, patience);
  } catch (error) {
    await close();
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new Error(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  return { usage: new UsageHistory(redis, config.usage.history), close };
}
