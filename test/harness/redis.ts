// A scratch Redis for tests: on a Unix socket, in a folder of its own that goes away with it.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { EmbeddedRedis, type EmbeddedRedisOptions } from '../../services/redis/embedded.ts';

export interface ScratchRedis {
  readonly socket: string;
  readonly dataFolder: string;
  /** The server's process id; undefined while it is down. */
  readonly pid: number | undefined;
  /** Ends it, keeps nothing. */
  stop(): Promise<void>;
  /** Ends it as a crash would, and keeps it down until restart(). What it had on disk stays. */
  kill9(): Promise<void>;
  /** Starts it again on what it has on disk; after kill9, or at any time. */
  restart(): Promise<void>;
}

/** Starts one; forcing each write to disk is left out (`everysec`) unless asked for, it would only slow tests down. */
export async function startRedis(options: Omit<EmbeddedRedisOptions, 'data'> = {}): Promise<ScratchRedis> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'rookery-redis-'));
  const start = (): Promise<EmbeddedRedis> =>
    EmbeddedRedis.start({ appendfsync: 'everysec', ...options, data: dataFolder });
  let redis = await start();
  const stop = async (): Promise<void> => {
    await redis.stop();
    await rm(dataFolder, { recursive: true, force: true });
  };
  return {
    socket: redis.socket,
    dataFolder,
    get pid() {
      return redis.pid;
    },
    stop,
    async kill9() {
      if (redis.pid !== undefined) process.kill(redis.pid, 'SIGKILL');
      await redis.stop();
    },
    async restart() {
      await redis.stop();
      redis = await start();
    },
  };
}

/** One for all tests of a file, empty at the begin of each. Hooks `before` of the file do not wait for it. */
export function redisOfFile(options: Omit<EmbeddedRedisOptions, 'data'> = {}): Omit<ScratchRedis, 'stop'> {
  let started: ScratchRedis | undefined;
  const running = (): ScratchRedis => {
    if (!started) throw new Error('it is started before the first test');
    return started;
  };
  before(async () => {
    started = await startRedis(options);
  });
  after(() => started?.stop());
  beforeEach(() => redisSays(running().socket, 'FLUSHALL'));
  return {
    get socket() {
      return running().socket;
    },
    get dataFolder() {
      return running().dataFolder;
    },
    get pid() {
      return running().pid;
    },
    kill9: () => running().kill9(),
    restart: () => running().restart(),
  };
}

/** Sends one inline command and gives the lines of the reply, without any client library in between. */
export async function redisSays(socket: string, command: string): Promise<string[]> {
  const connection = connect(socket);
  await once(connection, 'connect');
  connection.write(`${command}\r\nQUIT\r\n`);
  let reply = '';
  for await (const chunk of connection) reply += String(chunk);
  return reply.split('\r\n').slice(0, -2);
}
