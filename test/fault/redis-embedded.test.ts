// The embedded Redis in trouble: crashes, a killed owner, a server that won't start or won't end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EmbeddedRedis, findRedisBinary, type RedisExit } from '../../services/redis/embedded.ts';
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
