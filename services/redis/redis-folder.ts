// The files of the embedded Redis: its folder inside the data folder, its socket, its lock, its settings.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { makeDataFolder, makeFolder } from '../config/data-folder.ts';

/** sun_path holds 108 bytes with its closing NUL (unix(7)). */
const LONGEST_SOCKET_PATH = 107;

export interface RedisFolder {
  /** The data folder that it lies in. */
  data: string;
  /** Holds the append-only files and the snapshot. */
  path: string;
  socket: string;
  lock: string;
}

/**
 * The embedded Redis' files for a data folder; the same for every process that asks. The socket lies in the folder,
 * or, where its path would be too long for a Unix socket, in a private folder under the system's temporary one.
 */
export function redisFolder(dataFolder: string): RedisFolder {
  const path = resolve(dataFolder, 'redis');
  const own = join(path, 'redis.sock');
  const socket = Buffer.byteLength(own) <= LONGEST_SOCKET_PATH ? own : shortSocket(path);
  return { data: dataFolder, path, socket, lock: join(path, 'lock') };
}

function shortSocket(path: string): string {
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16);
  const socket = join(tmpdir(), `rookery-${userId()}-${digest}`, 'redis.sock');
  if (Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH) return socket;
  throw new Error(
    `no Unix socket fits: '${join(path, 'redis.sock')}' and '${socket}' are both longer than ` +
      `${LONGEST_SOCKET_PATH} bytes; choose a shorter data folder or TMPDIR`,
  );
}

/**
 * Makes the folders, readable by this user alone. Throws ConfigError when the data folder can't be made, and when another
 * user has put a folder in the socket's place.
 */
export function makeRedisFolder(folder: RedisFolder): void {
  makeDataFolder(folder.data, folder.path);
  const place = dirname(folder.socket);
  makeFolder(place);
  const found = lstatSync(place);
  if (!found.isDirectory() || found.uid !== userId()) {
    throw new Error(
      `the folder for Redis' socket, '${place}', must be a folder of user ${userId()} (it is ${found.uid}'s)`,
    );
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}

/** The settings file, infra/redis/redis.conf, looked for upwards from here: this file runs from source and from dist. */
export function redisSettingsFile(): string {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const file = join(at, 'infra', 'redis', 'redis.conf');
    if (existsSync(file)) return file;
    if (at === dirname(at)) throw new Error(`infra/redis/redis.conf is not to be found above ${import.meta.dirname}`);
  }
}
