// Connections to Redis: how they are made, how long they wait, and what they do when Redis is away.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';

type Options = Omit<RedisOptions, 'replyMapping'>;

/** Where a Redis is: an URL (`redis://`, `rediss://`, with user and password), or a Unix socket. */
export type RedisPlace = { url: string } | { socket: string };

/** Whoever wants to know how connections are. */
export interface ConnectionHearer {
  /** Told of each failure once, and whose it is; a connection comes back by itself. */
  onError: (error: Error, by?: object) => void;
  /** Told each time that a connection can be used. */
  onReady?: (by?: object) => void;
}

/** Nobody wants to know. */
export const unheard: ConnectionHearer = { onError: () => undefined };

export interface ConnectionSettings extends ConnectionHearer {
  place: RedisPlace;
  /** How long a command may take, in milliseconds, before it counts as failed. */
  commandTimeout: number;
}

/** How long a blocking command may be told to wait, in milliseconds. */
const longestBlock = 5000;

/**
 * A connection for commands. Fails at once while Redis is away, so that a delivery is put off and not held up; a command
 * whose connection broke is not sent a second time, for nobody knows whether it was carried out.
 */
export function commandConnection(settings: ConnectionSettings): Redis {
  return connect(settings, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: settings.commandTimeout,
    // A host that vanished closes nothing: without this, TCP itself gives up only after some 15 minutes.
    socketTimeout: 2 * settings.commandTimeout,
  });
}

/**
 * A connection of its own for a blocking reader (XREAD BLOCK, up to `longestBlock`): no command on it times out by itself,
 * but one that stays silent for longer than that is given up and made anew.
 */
export function blockingConnection(settings: ConnectionSettings): Redis {
  return connect(settings, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: longestBlock + settings.commandTimeout,
  });
}

/**
 * A connection for a worker: what is asked while Redis is away waits until it is back, and what a broken connection left
 * unanswered is asked again, as BullMQ needs it; a job may so be run twice, never none. BullMQ copies it for its
 * blocking reads.
 */
export function workerConnection(settings: Omit<ConnectionSettings, 'commandTimeout'>): Redis {
  return connect(
    { ...settings, commandTimeout: longestBlock },
    {
      maxRetriesPerRequest: null,
      // BullMQ blocks for 10 seconds at most.
      socketTimeout: 3 * longestBlock,
    },
  );
}

/**
 * Resolves when the connection is usable; rejects when its first attempt fails, or takes `timeout` milliseconds, and then
 * it is given up.
 */
export async function connected(redis: Redis, timeout: number): Promise<void> {
  if (redis.status === 'ready') return;
  const signal = AbortSignal.timeout(timeout);
  // events.once rejects with the connection's own error, should that come first.
  await once(redis, 'ready', { signal }).catch((error: unknown) => {
    redis.disconnect();
    throw signal.aborted ? new Error(`no connection to Redis within ${timeout} ms`) : error;
  });
}

function connect(settings: ConnectionSettings, options: Options): Redis {
  const all: Options = {
    ...options,
    connectTimeout: settings.commandTimeout,
    retryStrategy: (times) => Math.min(50 * times, 1000),
  };
  const redis =
    'url' in settings.place ? new Redis(settings.place.url, all) : new Redis({ ...all, path: settings.place.socket });
  let last = '';
  redis.on('error', (error: Error) => {
    if (error.message !== last) settings.onError(error, redis);
    last = error.message;
  });
  redis.on('ready', () => {
    last = '';
    settings.onReady?.(redis);
  });
  return redis;
}
