// The embedded Redis: keeps its data, has one owner, is restarted after a crash, and never outlives its process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EmbeddedRedis, findRedisBinary, type RedisExit } from '../../services/redis/embedded.ts';
import { unpackedRedis } from '../../services/redis/redis-binary.ts';
import { redisFolder } from '../../services/redis/redis-folder.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let scratch = '';
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'rookery-embedded-'));
});
after(async () => {
  await rm(scratch, { recursive: true, force: true });
});

function alive(pid: number | undefined): boolean {
  assert.ok(pid !== undefined && pid > 1);
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

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

test('a crash is reported with its signal and mended by a restart on the same socket', async (t) => {
  const exits: RedisExit[] = [];
  const redis = await startRedis({ appendfsync: 'always', restartMs: 10, onExit: (exit) => exits.push(exit) });
  t.after(() => redis.stop());
  await redisSays(redis.socket, 'SET kept 1');
  const first = redis.pid;
  assert.ok(first !== undefined);
  process.kill(first, 'SIGKILL');
  const answers = async (): Promise<boolean> => {
    const reply = await redisSays(redis.socket, 'GET kept').catch(() => []);
    return redis.pid !== first && reply[1] === '1';
  };
  await until('the restarted Redis answers', answers);
  assert.equal(exits.length, 1);
  assert.equal(exits[0]?.signal, 'SIGKILL');
  assert.match(exits[0].lastLines.join('\n'), /eady to accept connections/);
});

test('restarts that fail come slower and slower, up to the longest pause', async (t) => {
  const data = join(scratch, 'failing');
  const binary = join(scratch, 'fails-later');
  await writeFile(binary, `#!/bin/sh\n[ -e ${scratch}/broken ] && exit 3\nexec ${findRedisBinary(data) ?? ''} "$@"\n`);
  await chmod(binary, 0o755);
  const pauses: number[] = [];
  const onExit = (_: RedisExit, pause: number): unknown => pauses.push(pause);
  const redis = await EmbeddedRedis.start({ data, binary, restartMs: 1, longestRestartMs: 4, onExit });
  t.after(() => redis.stop());
  await writeFile(join(scratch, 'broken'), '');
  assert.ok(redis.pid !== undefined);
  process.kill(redis.pid, 'SIGKILL');
  await until('five exits', () => pauses.length >= 5);
  assert.deepEqual(pauses.slice(0, 5), [1, 2, 4, 4, 4]);
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

test('kill -9 of the process that started it takes Redis along, its data kept', async (t) => {
  const data = join(scratch, 'orphan');
  const owner = spawn(process.execPath, [
    '--input-type=module-typescript',
    '--eval',
    `import { EmbeddedRedis } from ${JSON.stringify(join(import.meta.dirname, '../../services/redis/embedded.ts'))};
     console.log((await EmbeddedRedis.start({ data: ${JSON.stringify(data)} })).pid);`,
  ]);
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  t.after(() => alive(pid) && process.kill(pid, 'SIGKILL'));
  assert.ok(alive(pid));
  assert.deepEqual(await redisSays(redisFolder(data).socket, 'SET kept 1'), ['+OK']);
  owner.kill('SIGKILL');
  await until('Redis has ended with its owner', () => !alive(pid));
  const next = await EmbeddedRedis.start({ data });
  t.after(() => next.stop());
  assert.deepEqual(await redisSays(next.socket, 'GET kept'), ['$1', '1']);
});

test('a stop that SIGTERM does not bring about is brought about by SIGKILL', async () => {
  const redis = await startRedis({ stopMs: 50 });
  const pid = redis.pid;
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGSTOP');
  await redis.stop();
  assert.equal(alive(pid), false);
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

test('a server that ends instead of starting is reported with its last words', async () => {
  const binary = join(scratch, 'complains');
  await writeFile(binary, '#!/bin/sh\necho "*** FATAL CONFIG FILE ERROR ***"\nexit 1\n');
  await chmod(binary, 0o755);
  const start = EmbeddedRedis.start({ data: join(scratch, 'complaint'), binary });
  await assert.rejects(start, /complains ended \(code 1\) instead of starting:\n {2}\*\*\* FATAL CONFIG FILE ERROR/);
});

test('a server that never answers is ended after the bound', async () => {
  const binary = join(scratch, 'mute');
  await writeFile(binary, '#!/bin/sh\nexec sleep 600\n');
  await chmod(binary, 0o755);
  const start = EmbeddedRedis.start({ data: join(scratch, 'muteness'), binary, silenceMs: 100 });
  await assert.rejects(start, /Redis did not answer on .*redis\.sock/);
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
