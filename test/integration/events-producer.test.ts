// Ringing the queues while Redis is there, away, or hangs: whoever rings never waits and never fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { keptLog, openQueues } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

function open(t: TestContext, options?: Parameters<typeof openQueues>[1]) {
  const opened = openQueues(redis.socket, options);
  t.after(() => opened.close());
  return opened;
}

test('a ring becomes a job; more for the same name, before and after, are the same job', async (t) => {
  const { producer, backlog, queues } = open(t);
  for (let round = 0; round < 3; round += 1) {
    for (const name of ['user.a', 'user.b\xff']) producer.ring('reconcile', { name });
    await until('all is handed over', () => producer.waiting === 0);
  }
  await queues.connected();
  await until('two jobs wait', async () => (await backlog.counts('reconcile')).waiting === 2);
  const jobs = await backlog.jobs('reconcile', ['waiting'], 10);
  assert.deepEqual(jobs.map(({ subject }) => subject).sort(), ['user.a', 'user.b\xff']);
});

test('the oldest job is the one that is next in line', async (t) => {
  const { producer, backlog, queues } = open(t);
  await queues.connected();
  assert.equal(await backlog.oldestAge('reconcile'), 0);
  for (const [at, name] of ['user.first', 'user.second', 'user.third'].entries()) {
    producer.ring('reconcile', { name });
    await until('it waits', async () => (await backlog.counts('reconcile')).waiting === at + 1);
    // Another millisecond for the next one.
    const then = Date.now();
    await until('time has passed', () => Date.now() > then);
  }
  const jobs = await backlog.jobs('reconcile', ['waiting'], 10);
  assert.deepEqual(
    jobs.map(({ subject }) => subject),
    ['user.third', 'user.second', 'user.first'],
  );
  const atLeast = Date.now() - (jobs.at(-1)?.since ?? 0);
  assert.ok((await backlog.oldestAge('reconcile')) * 1000 >= atLeast);
});

test('what cannot be a job is logged, and troubles nobody', async (t) => {
  const log = keptLog();
  const { producer } = open(t, { log });
  producer.ring('reconcile', { name: 'ж' });
  assert.match(log.lines[0]?.text ?? '', /can be no job/);
  assert.equal(producer.waiting, 0);
  await producer.close();
  producer.ring('reconcile', { name: 'user.late' });
  assert.equal(producer.dropped, 1);
});

test('while Redis is away rings wait in bounds, what is over is counted and told once, the rest goes when it is back', async (t) => {
  const log = keptLog();
  const { producer, backlog, queues } = open(t, { log, limit: 250 });
  await queues.connected();
  await redis.kill9();
  for (let n = 0; n < 1000; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  assert.equal(producer.waiting, 250);
  assert.equal(producer.dropped, 750);
  await until('it is told', () => log.lines.some(({ text }) => text.includes('takes no rings')));
  assert.equal(log.lines.filter(({ text }) => text.includes('dropped')).length, 1);
  await redis.restart();
  await until('all is there', async () => {
    return producer.waiting === 0 && (await backlog.counts('reconcile').catch(() => undefined))?.waiting === 250;
  });
  assert.deepEqual(log.lines.at(-1), { level: 'info', text: 'events: Redis takes rings again', dropped: 750 });
});

test('a Redis that hangs holds nobody up, and has all when it goes on', async (t) => {
  const { producer, backlog, queues } = open(t);
  await queues.connected();
  const { pid } = redis;
  assert.ok(pid);
  process.kill(pid, 'SIGSTOP');
  try {
    for (let n = 0; n < 300; n += 1) producer.ring('reconcile', { name: `user.${n}` });
    await until('some are on their way', () => producer.waiting === 200);
    producer.ring('reconcile', { name: 'user.1' });
    assert.equal(producer.waiting, 201);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await until('all is there', async () => (await backlog.counts('reconcile')).waiting === 300);
});

test('closing is bounded while Redis is away, from the start or of late, and says what is lost', async () => {
  const log = keptLog();
  const late = openQueues(redis.socket, { log });
  await late.queues.connected();
  await redis.kill9();
  const never = openQueues(redis.socket, { log });
  for (const { producer } of [late, never]) producer.ring('reconcile', { name: 'user.x' });
  await Promise.all([late.close(), never.close()]);
  assert.equal(log.lines.filter(({ rings }) => rings === 1).length, 2);
  await redis.restart();
});

test('closing hands over what was rung just before', async (t) => {
  const { producer, queues } = openQueues(redis.socket);
  await queues.connected();
  for (let n = 0; n < 250; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  await producer.close();
  await queues.close();
  const { backlog, queues: others } = open(t);
  await others.connected();
  assert.equal((await backlog.counts('reconcile')).waiting, 250);
});
