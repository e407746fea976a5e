// `rookery queue` and the role worker, as an operator meets them, on a real Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { queuesFor, work } from '../harness/events.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { operator } from '../harness/operator.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };
const name = 'user.jös';
const asBytes = Buffer.from(name).toString('latin1');
let redis: ScratchRedis;
let rookery: Rookery;

before(async () => {
  redis = await startRedis();
  const backends = { mail1: { mupdate: false } };
  rookery = await Rookery.layOut({ redis: { url: redis.socket }, backends, api: { listen: anyPort } });
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

const rows = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

test('queues are listed, jobs shown with their reasons, failed ones tried again, and a worker does them', async (t) => {
  const { producer, backlog } = await queuesFor(t, redis.socket);
  const failing = work(redis.socket, () => Promise.reject(new Error('mail1 does not answer:\nno route')));
  producer.ring('reconcile', { name: asBytes });
  await until('it failed', async () => (await backlog.counts('reconcile')).failed === 1);
  await failing.stop();
  producer.ring('reconcile', { name: 'user.waits' });
  await until('the next one waits', async () => (await backlog.counts('reconcile')).waiting === 1);

  const list = await operator(rookery.configFile, 'queue', 'list');
  assert.deepEqual([list.code, list.err], [0, '']);
  const [head, ...lines] = rows(list.out);
  assert.deepEqual(
    lines.map(([queue]) => queue),
    ['placement', 'moves', 'plans', 'replication', 'reconcile', 'usage', 'counts'],
  );
  const [queue, ...numbers] = lines[4] ?? [];
  assert.deepEqual(head, ['QUEUE', 'WAITING', 'ACTIVE', 'DELAYED', 'FAILED', 'COMPLETED', 'OLDEST']);
  assert.deepEqual([queue, ...numbers.slice(0, 5)], ['reconcile', '1', '0', '0', '1', '0']);
  const line = (await operator(rookery.configFile, 'queue', 'list', '-f', 'json')).out.split('\n')[4] ?? '';
  assert.deepEqual((JSON.parse(line) as { jobs: object }).jobs, {
    ...{ waiting: 1, active: 0, delayed: 0, failed: 1, completed: 0 },
  });

  const shown = rows((await operator(rookery.configFile, 'queue', 'show', 'reconcile')).out);
  assert.deepEqual(
    shown.map(([, state, about]) => [state, about]),
    [
      ['STATE', 'ABOUT'],
      ['waiting', 'user.waits'],
      ['failed', name],
    ],
  );
  const failed = await operator(rookery.configFile, 'queue', 'show', 'reconcile', '--state', 'failed', '-f', 'json');
  const { id, reason, attempts } = JSON.parse(failed.out) as { id: string; reason: string; attempts: number };
  assert.deepEqual([reason, attempts], ['mail1 does not answer:\nno route', 3]);

  const none = await operator(rookery.configFile, 'queue', 'retry', 'reconcile', '--id', 'x1');
  assert.deepEqual([none.code, none.err], [65, 'rookery: reconcile has no failed job x1\n']);
  const one = await operator(rookery.configFile, 'queue', 'retry', 'reconcile', '--id', id);
  assert.deepEqual([one.code, one.out], [0, '1 job is tried again\n']);
  assert.equal((await operator(rookery.configFile, 'queue', 'retry', 'reconcile')).out, '0 jobs are tried again\n');

  await rookery.start('run', 'worker', 'api', '--queues', 'reconcile', '--concurrency', '2');
  assert.match(rookery.out, /^Worker +reconcile, 2 jobs at a time$/m);
  await until('the worker has done both', async () => (await backlog.counts('reconcile')).completed === 2);
  const { host, port } = rookery.address('HTTP');
  const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
  assert.match(metrics, /^rookery_queue_jobs\{queue="reconcile",state="completed"\} 2$/m);
  assert.match(metrics, /^rookery_queue_oldest_job_age_seconds\{queue="reconcile"\} 0$/m);
  assert.equal(await rookery.end(), 0);
});

test('what names no queue is wrong usage; queues that are away are 69, in one line', async (t) => {
  assert.equal((await operator(rookery.configFile, 'queue', 'show', 'nosuch')).code, 64);
  assert.equal((await operator(rookery.configFile, 'queue', 'show', 'reconcile', '--state', 'nosuch')).code, 64);
  assert.equal((await operator(rookery.configFile, 'run', 'worker', '--queues', 'nosuch')).code, 64);
  assert.equal((await operator(rookery.configFile, 'run', 'worker', '--concurrency', '0')).code, 64);
  assert.equal((await operator(rookery.configFile, 'run', 'lmtp', '--concurrency', '3')).code, 64);
  const away = await Rookery.layOut({});
  t.after(() => away.stop());
  const { code, err } = await operator(away.configFile, 'queue', 'list');
  assert.equal(code, 69);
  assert.match(err, /^rookery: the queues cannot be opened: Redis does not answer at .*rookery up.*\n$/);
});
