// How this process reaches its Redis: the configured one, or an embedded one of its own.
import type { Config } from '../config/schema.ts';
import { redisUrls } from '../config/redis-section.ts';
import { EmbeddedRedis } from '../redis/embedded.ts';
import { redisFolder } from '../redis/redis-folder.ts';
import type { RedisPlace } from '../redis/connection.ts';
import type { Log } from './log.ts';

export interface RedisAccess {
  place: RedisPlace;
  /** In words, for logs and for people. */
  name: string;
  stop(): Promise<void>;
}

/** Where the directory's Redis is to be found by the configuration, whether or not it runs. */
export function redisPlace(config: Config): RedisPlace {
  return placeOf(config, 'directory');
}

/** Where the Redis is in which events wait: by default the directory's. */
export function eventsPlace(config: Config): RedisPlace {
  return placeOf(config, 'events');
}

function placeOf(config: Config, part: 'directory' | 'events'): RedisPlace {
  const url = redisUrls(config.redis)?.[part];
  if (url === undefined) return { socket: redisFolder(config.data).socket };
  return url.startsWith('/') ? { socket: url } : { url };
}

/** The place in words; a password in an URL is hidden. */
export function redisName(place: RedisPlace): string {
  if ('socket' in place) return place.socket;
  const url = new URL(place.url);
  if (url.password !== '') url.password = '(hidden)';
  return url.href;
}

/** Starts the embedded Redis where none is configured; else only says where Redis is. */
export async function accessRedis(config: Config, log: Log): Promise<RedisAccess> {
  const place = redisPlace(config);
  const name = redisName(place);
  if (config.redis) return { place, name, stop: () => Promise.resolve() };
  const redis = await EmbeddedRedis.start({
    data: config.data,
    appendfsync: config.directory.appendfsync,
    onLog: (line) => {
      log.debug({ redis: line }, 'embedded redis');
    },
    onExit: (exit, restartInMs) => {
      log.error({ exit, restart_ms: restartInMs }, 'embedded redis ended by itself; starting it again');
    },
  });
  return { place, name: `embedded at ${name}`, stop: () => redis.stop() };
}
