// Worker processes that are told to end, killed, or killed by their jobs, and a Redis that goes away under them: no job is
// lost, and none is for ever.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { queueNames } from '../../services/events/queues.ts';
import type { JobState } from '../../services/events/backlog.ts';
import { queuesFor } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

/** Processes take their time to start on a busy machine, in milliseconds. */
const patience = 60_000;

const redis = redisOfFile({ appendfsync: 'always' });

async function queues(t: TestContext) {
  const opened = await queuesFor(t, redis.socket);
  const { producer, backlog } = opened;
  /** The jobs of all queues in a state. */
  const all = async (state: JobState) => {
    const counts = await Promise.all(queueNames.map((queue) => backlog.counts(queue)));
    return counts.reduce((sum, one) => sum + one[state], 0);
  };
  const settled = async (state: JobState, count: number) => {
    await until(`${count} ${state}`, async () => (await all(state).catch(() => -1)) === count, patience);
  };
  /** One job for each queue. */
  const ringAll = (name: string) => {
    for (const queue of ['placement', 'moves', 'reconcile'] as const)
      producer.ring(queue, { name: `${queue} ${name}` });
    for (const queue of ['replication', 'counts'] as const) producer.ring(queue, { tree: `${queue} ${name}` });
    producer.ring('usage', { server: `usage ${name}` });
    producer.ring('plans', { run: `plans ${name}` });
    producer.ring('counts', { tree: `counts ${name}` });
  };
  return { ...opened, all, settled, ringAll };
}

function workerProcess(t: TestContext, mode: 'hang' | 'work' | 'slow') {
  const file = join(import.meta.dirname, '../harness/worker-process.ts');
  const child = spawn(process.execPath, [file, redis.socket, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const beginsAll = (name: string) =>
    until(`${mode}: ${name}`, () => queueNames.every((queue) => out.includes(`begins ${queue} ${name}\n`)), patience);
  return { child, ended, beginsAll, begun: () => out.split('\n').length - 1 };
}

test('jobs of all queues whose worker is killed in the middle are run again by another', async (t) => {
  const { ringAll, settled, backlog } = await queues(t);
  const first = workerProcess(t, 'hang');
  ringAll('a');
  await first.beginsAll('a');
  first.child.kill('SIGKILL');
  await first.ended;
  const second = workerProcess(t, 'work');
  await second.beginsAll('a');
  await settled('completed', queueNames.length);
  for (const queue of queueNames) {
    const [job] = await backlog.jobs(queue, ['completed'], 10);
    assert.deepEqual([job?.reason, job?.attempts, job?.worker], ['worked', 1, `test/${second.child.pid}`]);
  }
});

test('a worker process told to end gives back what hangs in all queues, takes nothing new, and ends', async (t) => {
  const { ringAll, settled, all } = await queues(t);
  const { child, beginsAll, ended, begun } = workerProcess(t, 'hang');
  ringAll('a');
  await beginsAll('a');
  child.kill('SIGTERM');
  ringAll('b');
  assert.deepEqual(await ended, [0, null]);
  await settled('waiting', 2 * queueNames.length);
  assert.equal(await all('active'), 0);
  assert.ok(begun() <= 2 * queueNames.length);
  workerProcess(t, 'work');
  await settled('completed', 2 * queueNames.length);
});

test('a job that kills its workers comes to an end as a dead letter, and takes no other along', async (t) => {
  const { producer, backlog, settled, all } = await queues(t);
  producer.ring('moves', { name: 'poison' });
  for (let n = 0; n < 20; n += 1) producer.ring('moves', { name: `user.${n}` });
  for (let deaths = 0; (await all('failed')) === 0; deaths += 1) {
    assert.ok(deaths < 10, 'it kills for ever');
    const { child } = workerProcess(t, 'work');
    const over = async () => child.exitCode !== null || child.signalCode !== null || (await all('failed')) > 0;
    await until('a worker has died, or it is given up', over, patience);
  }
  await settled('completed', 20);
  const dead = await backlog.jobs('moves', ['failed'], 10);
  assert.deepEqual(
    dead.map(({ subject, kind }) => [subject, kind]),
    [['poison', 'lost']],
  );
});

test('Redis restarted in the middle of the work: every job is done, none is lost', async (t) => {
  const { producer, queues: set, settled } = await queues(t);
  for (let n = 0; n < 300; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  await until('all are handed over', () => producer.waiting === 0);
  await settled('waiting', 300);
  const { begun } = workerProcess(t, 'slow');
  const other = workerProcess(t, 'slow');
  await until('both work', () => begun() > 10 && other.begun() > 10, patience);
  await redis.kill9();
  for (let n = 300; n < 320; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  await redis.restart();
  await until('the queues answer', () => {
    try {
      return Boolean(set.queue('reconcile'));
    } catch {
      return false;
    }
  });
  await settled('completed', 320);
});
