// Opens the directory that the configuration names, for a role or for one command of an operator.
import type { Config } from '../config/schema.ts';
import { ChainMemory } from './chain-memory.ts';
import type { ConnectionHearer, ConnectionSettings } from '../redis/connection.ts';
import type { Acknowledgement } from '../directory/redis/writes.ts';
import { policyOf } from '../directory/rules.ts';
import { RedisDirectory } from '../directory/redis/redis-directory.ts';
import { blockingConnection, commandConnection, connected, unheard } from '../redis/connection.ts';
import { timesOf } from './settings.ts';
import { redisName, redisPlace } from './redis-access.ts';

type Redis = ReturnType<typeof commandConnection>;

/** Redis does not answer where the configuration says it is. */
export class DirectoryAway extends Error {
  override readonly name = 'DirectoryAway';
}

export interface OpenOptions {
  /** Told of the connections, which come back by themselves. */
  hearer?: ConnectionHearer;
  /** Told of what goes wrong while the directory looks after itself. */
  onError?: (error: Error) => void;
  /** Told of settings of Redis with which what is acknowledged may be lost. */
  onDoubt?: (doubt: string) => void;
  /** Told of each loss of data, after the new epoch has begun. */
  onLoss?: (loss: string) => void;
  /** What is known of the directory's history from before. */
  memory?: Pick<ChainMemory, 'recall' | 'remember'>;
}

/** Opens the directory, making it where there is none. Throws DirectoryAway when Redis does not answer. */
export async function openDirectory(config: Config, options: OpenOptions = {}): Promise<RedisDirectory> {
  const { hearer = unheard, onError = () => undefined, onDoubt = () => undefined, onLoss, memory } = options;
  const place = redisPlace(config);
  const commandTimeout = config.directory.redis_timeout * 1000;
  const settings = { place, commandTimeout, ...hearer };
  const commands = commandConnection(settings);
  try {
    await connected(commands, commandTimeout);
  } catch (error) {
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new DirectoryAway(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  await refuseEviction(commands, onDoubt).catch((error: unknown) => {
    commands.disconnect();
    throw error;
  });
  const blocking = async () => {
    const connection = blockingConnection(settings);
    await connected(connection, commandTimeout);
    return connection;
  };
  const { replicas } = config.directory;
  const acknowledge =
    replicas === 0 ? undefined : await acknowledgement(replicas, config.directory.replicas_timeout * 1000, settings);
  const remembered = memory?.recall();
  return RedisDirectory.open({
    ...(acknowledge && { acknowledge }),
    ...(onLoss && { onLoss }),
    ...(remembered && { remembered }),
    ...(memory && {
      remember: (places) => {
        memory.remember(places);
      },
    }),
    policy: policyOf(config.directory.policy, timesOf(config)),
    shards: config.directory.shards,
    changeLogLength: config.directory.change_log_length,
    ...{ commands, blocking, onError },
  });
}

/**
 * A Redis that throws keys away when its memory is full would have rows vanish without a trace: it is refused. One that does
 * not force each write to disk before it answers is told of.
 */
async function refuseEviction(commands: Redis, onDoubt: (doubt: string) => void): Promise<void> {
  const setting = async (name: string): Promise<string | undefined> => {
    const reply = (await commands.call('CONFIG', ['GET', name]).catch(() => [])) as string[];
    return reply[1];
  };
  const [policy, appendonly, appendfsync] = [
    await setting('maxmemory-policy'),
    await setting('appendonly'),
    await setting('appendfsync'),
  ];
  if (policy === undefined)
    onDoubt('its settings can not be read (CONFIG GET): it must have maxmemory-policy noeviction');
  else if (policy !== 'noeviction') {
    throw new Error(`Redis has maxmemory-policy ${policy}, and would throw mailboxes away: it may be noeviction`);
  }
  if (appendonly === 'no') onDoubt('appendonly is no: what was acknowledged since its last snapshot is lost with it');
  else if (appendfsync !== undefined && appendfsync !== 'always') {
    onDoubt(`appendfsync is ${appendfsync}, not always: the last acknowledged writes may be lost with the machine`);
  }
}

/** Opened for one command: what earlier processes remember is held against it, and nothing is remembered. */
export async function lookedAt(config: Config): Promise<RedisDirectory> {
  const silent = { warn: () => undefined };
  const memory = new ChainMemory(config.data, silent);
  return openDirectory(config, { memory: { recall: () => memory.recall(), remember: () => undefined } });
}

/** A connection on which nothing but writes, and the wait for the replicas, goes by. */
async function acknowledgement(
  replicas: number,
  timeout: number,
  settings: ConnectionSettings,
): Promise<Acknowledgement> {
  // A write waits for the WAIT that is under way, and then for its own.
  const connection = commandConnection({ ...settings, commandTimeout: settings.commandTimeout + 2 * timeout });
  await connected(connection, settings.commandTimeout);
  return { replicas, timeout, connection };
}
