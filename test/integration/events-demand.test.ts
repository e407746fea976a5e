// What a queue asks of workers, read from a real Redis: every line that jobs wait in, and how long the oldest has waited.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { readDemand } from '../../services/events/demand-reader.ts';
import { openQueues, shortRetries, work } from '../harness/events.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let opened: ReturnType<typeof openQueues>;
before(async () => {
  redis = await startRedis();
  opened = openQueues(redis.socket);
  await opened.queues.connected();
});
after(async () => {
  await opened.close();
  await redis.stop();
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

const queue = () => opened.queues.queue('reconcile');
const demand = () => readDemand(opened.queues, 'reconcile');
const nothing = { waiting: 0, prioritized: 0, due: 0, active: 0, oldestAge: 0, paused: false };
/** Added with a time in the past, as if it had come then. */
const add = (ago: number, more: object = {}) => queue().add('reconcile', {}, { timestamp: Date.now() - ago, ...more });

test('an empty queue asks for nothing', async () => {
  assert.deepEqual(await demand(), nothing);
});

test('jobs wait in three lines, and each is counted; what is not due yet is not', async () => {
  await add(5_000);
  await add(1_000);
  await add(60_000, { priority: 3 });
  await add(90_000, { delay: 80_000 });
  await add(0, { delay: 80_000 });
  const { oldestAge, ...counts } = await demand();
  assert.deepEqual(counts, { waiting: 2, prioritized: 1, due: 1, active: 0, paused: false });
  assert.equal(Math.floor(oldestAge / 1000), 60);
});

test('the age of a delayed job begins when it is due', async () => {
  await add(90_000, { delay: 80_000 });
  await until('it is due', async () => (await demand()).due === 1);
  assert.equal(Math.floor((await demand()).oldestAge / 1000), 10);
  await redisSays(redis.socket, 'FLUSHALL');
  await add(0, { delay: 80_000 });
  assert.deepEqual(await demand(), nothing);
});

test('a paused queue says so, and keeps what it has in line', async () => {
  await add(0);
  await queue().pause();
  const { waiting, paused } = await demand();
  assert.deepEqual([waiting, paused], [1, true]);
  await queue().resume();
  assert.equal((await demand()).paused, false);
});

test('a job that is worked on is active, and one that is tried again later does not count until then', async (t) => {
  let fail: () => void = () => undefined;
  const failing = new Promise<never>((_, reject) => {
    fail = () => {
      reject(new Error('no'));
    };
  });
  const patient = { ...shortRetries, fault: { attempts: 2, pause: 60_000, longest: 60_000 } };
  let begun = false;
  const looking = () => {
    begun = true;
    return failing;
  };
  const workers = work(redis.socket, looking, { retries: patient });
  t.after(() => workers.stop());
  await queue().add('reconcile', { v: 1, name: 'dXNlcg' }, { timestamp: 1 });
  await until('it is active', async () => begun && (await demand()).active === 1);
  assert.deepEqual(await demand(), { ...nothing, active: 1 });
  fail();
  await until('it waits to be tried again', async () => (await demand()).active === 0);
  assert.deepEqual(await demand(), nothing);
});
