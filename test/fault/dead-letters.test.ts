// Dead letters that are tried again by a command that is killed over it: none is lost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { withDead } from '../harness/dead-letters.ts';
import { operator } from '../harness/operator.ts';
import { redisOfFile } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

test('a retry that is killed in the middle loses nothing', async (t) => {
  const names = Array.from({ length: 600 }, (_, n) => `user.${String(n).padStart(3, '0')}-fault`);
  const rookery = await Rookery.layOut({ redis: { url: redis.socket } });
  t.after(() => rookery.stop());
  const { subjects, backlog } = await withDead(t, redis.socket, names);
  const file = join(import.meta.dirname, '../../services/cli/rookery');
  const child = spawn(file, ['queue', 'retry', 'moves', '--config', rookery.configFile], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until('some are tried again', async () => (await backlog.counts('moves')).waiting > 50, 60_000);
  child.kill('SIGKILL');
  await ended;
  const [failed, waiting] = [await subjects('failed'), await subjects('waiting')];
  assert.deepEqual([...new Set([...failed, ...waiting])].sort(), names);
  assert.equal(new Set(waiting).size, waiting.length);
  assert.equal((await operator(rookery.configFile, 'queue', 'retry', 'moves')).code, 0);
  assert.deepEqual([await subjects('failed'), await subjects('waiting')], [[], names]);
});
