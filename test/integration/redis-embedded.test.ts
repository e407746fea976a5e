// The embedded Redis: its settings, its data over restarts, and one owner for each data folder.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EmbeddedRedis, findRedisBinary } from '../../services/redis/embedded.ts';
import { unpackedRedis } from '../../services/redis/redis-binary.ts';
import { redisFolder } from '../../services/redis/redis-folder.ts';
import { redisSays, startRedis } from '../harness/redis.ts';

let scratch = '';
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'rookery-embedded-'));
});
after(async () => {
  await rm(scratch, { recursive: true, force: true });
});

test('it runs with the settings the directory needs, and listens on no TCP port', async (t) => {
  const redis = await startRedis({ appendfsync: 'always' });
  t.after(() => redis.stop());
  const lines = await redisSays(redis.socket, 'CONFIG GET *');
  const at = (name: string): string | undefined => lines[lines.indexOf(name) + 2];
  assert.equal(at('appendonly'), 'yes');
  assert.equal(at('appendfsync'), 'always');
  assert.equal(at('save'), '300 1');
  assert.equal(at('maxmemory-policy'), 'noeviction');
  assert.equal(at('port'), '0');
  assert.equal(at('hash-max-listpack-value') ?? at('hash-max-ziplist-value'), '1024');
  assert.equal(at('hash-max-listpack-entries') ?? at('hash-max-ziplist-entries'), '512');
  assert.equal((await stat(redis.socket)).mode & 0o077, 0);
});

test('what was answered is there again after a stop, and after kill -9', async (t) => {
  const redis = await startRedis({ appendfsync: 'always' });
  t.after(() => redis.stop());
  assert.deepEqual(await redisSays(redis.socket, 'SET first 1'), ['+OK']);
  await redis.restart();
  assert.deepEqual(await redisSays(redis.socket, 'SET second 2'), ['+OK']);
  await redis.kill9();
  assert.equal(redis.pid, undefined);
  await redis.restart();
  assert.deepEqual(await redisSays(redis.socket, 'MGET first second'), ['*2', '$1', '1', '$1', '2']);
});

test('a data folder has one Redis: a second start is refused, and leaves the first alone', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const second = EmbeddedRedis.start({ data: redis.dataFolder, lockWaitMs: 0 });
  await assert.rejects(second, /another Redis uses '.*redis': end it, or set redis\.url to use it/);
  assert.deepEqual(await redisSays(redis.socket, 'PING'), ['+PONG']);
});

test('a Redis on its way out is waited for', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const second = EmbeddedRedis.start({ data: redis.dataFolder, lockWaitMs: 10_000 });
  await redis.kill9();
  const next = await second;
  assert.deepEqual(await redisSays(next.socket, 'PING'), ['+PONG']);
  await next.stop();
});

test('a socket and a lock left behind by the dead are taken over', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  await redis.kill9();
  assert.ok(existsSync(redis.socket) && existsSync(redisFolder(redis.dataFolder).lock));
  await redis.restart();
  assert.deepEqual(await redisSays(redis.socket, 'PING'), ['+PONG']);
});

test('a data folder too deep for a Unix socket gets a socket in the temporary folder', async (t) => {
  const data = join(scratch, 'd'.repeat(100));
  const redis = await EmbeddedRedis.start({ data });
  t.after(() => redis.stop());
  assert.ok(Buffer.byteLength(redis.socket) <= 107 && redis.socket.startsWith(tmpdir()));
  assert.equal(redis.socket, redisFolder(data).socket);
  assert.deepEqual(await redisSays(redis.socket, 'PING'), ['+PONG']);
  await rm(join(redis.socket, '..'), { recursive: true });
});

test('the server program: ROOKERY_REDIS_BIN, then PATH, then the copy in the data folder', async () => {
  const data = join(scratch, 'programs');
  const program = async (path: string): Promise<string> => {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, '#!/bin/sh\n');
    await chmod(path, 0o755);
    return path;
  };
  const wished = await program(join(data, 'wished'));
  const onPath = await program(join(data, 'bin', 'valkey-server'));
  const PATH = join(data, 'bin');
  assert.equal(findRedisBinary(data, { ROOKERY_REDIS_BIN: wished, PATH }), wished);
  assert.equal(findRedisBinary(data, { PATH }), onPath);
  assert.equal(findRedisBinary(data, {}), undefined);
  const unpacked = await program(unpackedRedis(data));
  assert.equal(findRedisBinary(data, { PATH: '' }), unpacked);
  assert.throws(
    () => findRedisBinary(data, { ROOKERY_REDIS_BIN: '/nowhere/redis', PATH }),
    /ROOKERY_REDIS_BIN is '\/nowhere\/redis'/,
  );
});
