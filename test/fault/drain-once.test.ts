// `rookery run worker --drain-once`, as a Kubernetes Job or a cron entry starts it: it works off what is there, and is gone.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../services/config/load.ts';
import { drained } from '../../services/events/draining.ts';
import type { Outcome, Processors } from '../../services/events/processor.ts';
import { startRoles } from '../../services/process/start-roles.ts';
import { queuesFor, workersFor, workOn } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

function worker(t: TestContext, moves: NonNullable<Processors['moves']>) {
  return workersFor(t, redis.socket, { moves });
}

test('the program works until the queues are empty, and ends with 0', async (t) => {
  const { producer, backlog } = await queuesFor(t, redis.socket);
  const rookery = await Rookery.layOut({ redis: { url: redis.socket }, backends: { mail1: { mupdate: false } } });
  t.after(() => rookery.stop());
  for (let n = 0; n < 200; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  await until('they wait', async () => (await backlog.counts('reconcile')).waiting === 200);
  const { code, out, err } = await rookery.command('run', 'worker', '--drain-once', '--idle', '1');
  assert.equal(code, 0, err);
  assert.match(out, /^ready\nends: the queues are empty\n$/m);
  const { waiting, active, completed } = await backlog.counts('reconcile');
  assert.deepEqual({ waiting, active, completed }, { waiting: 0, active: 0, completed: 200 });
});

test('without backends it does not start: what is ordered of users would come to nothing', async (t) => {
  const rookery = await Rookery.layOut({ redis: { url: redis.socket } });
  t.after(() => rookery.stop());
  for (const more of [[], ['--queues', 'counts,usage']]) {
    const { code, err } = await rookery.command('run', 'worker', '--drain-once', ...more);
    assert.equal(code, 78);
    assert.match(err, /backends is empty; it may be the same as in the configuration of the directory, each with imap/);
  }
  const others = await rookery.command('run', 'worker', '--drain-once', '--idle', '1', '--queues', 'counts');
  assert.equal(others.code, 0, others.err);
});

test('its options are for it, and a queue without a worker is refused', async (t) => {
  const rookery = await Rookery.layOut({ redis: { url: redis.socket } });
  t.after(() => rookery.stop());
  for (const [words, reason] of [
    [['run', 'worker', '--idle', '2'], /--idle and --deadline are for --drain-once/],
    [['run', 'lmtp', '--drain-once'], /are for the role worker/],
    [['run', 'worker', '--drain-once', '--deadline', 'soon'], /must be a whole number/],
    [['run', 'worker', '--queues', 'reconcile,nosuch'], /'nosuch' is no queue: there are placement, moves, .*usage/],
  ] as const) {
    const { code, err } = await rookery.command(...words);
    assert.equal(code, 64, words.join(' '));
    assert.match(err, reason);
  }
});

test('jobs that bring more jobs, that are put off until soon, and that still run are waited for', async (t) => {
  const { producer, backlog } = await queuesFor(t, redis.socket);
  let looks = 0;
  const running = worker(t, async () => {
    looks += 1;
    if (looks === 1) return { is: 'later', note: 'in a moment', pause: 150 };
    await sleep(150);
    if (looks < 5) producer.ring('moves', { name: `user.${looks}` });
    return { is: 'done', note: 'done' };
  });
  producer.ring('moves', { name: 'user.0' });
  const { ended } = drained({ backlog, running, idle: 600, within: 20_000 });
  assert.equal(await ended, 'the queues are empty');
  assert.equal(looks, 5);
  assert.equal((await backlog.counts('moves')).completed, 4);
});

test('what is put off for long, what others run, and a paused queue are not waited for', async (t) => {
  const { queues: set, backlog, producer } = await queuesFor(t, redis.socket);
  const running = workOn(redis.socket, { moves: () => new Promise(() => undefined) }, { grace: 10 });
  t.after(() => running.stop());
  producer.ring('moves', { name: 'user.hangs' });
  await until('it runs', () => running.busy === 1);
  await set.queue('moves').add('moves', { v: 1, name: 'dXNlcg' }, { delay: 3_600_000 });
  await set.queue('usage').pause();
  await set.queue('usage').add('usage', { v: 1, server: 'dXNlcg' });
  const mine = { queues: ['moves', 'usage'] as const, busy: 0 };
  const { ended } = drained({ backlog, running: mine, idle: 50, within: 20_000 });
  assert.equal(await ended, 'the queues are empty');
});

test('the deadline comes, or the wish to stop, or Redis is away: it is no end of the queues', async (t) => {
  const { backlog, producer } = await queuesFor(t, redis.socket);
  producer.ring('moves', { name: 'user.waits' });
  await until('it waits', async () => (await backlog.counts('moves')).waiting === 1);
  const nobody = { queues: ['moves'] as const, busy: 0 };
  assert.equal(await drained({ backlog, running: nobody, idle: 10, within: 300 }).ended, 'the deadline is near');
  const stopped = drained({ backlog, running: nobody, idle: 10, within: 20_000 });
  stopped.stop();
  assert.equal(await stopped.ended, 'asked to stop');
  await redis.kill9();
  assert.equal(await drained({ backlog, running: nobody, idle: 10, within: 300 }).ended, 'the deadline is near');
  await redis.restart();
});

test('at the deadline what still runs gets the grace, and is given back', async (t) => {
  const { producer, backlog } = await queuesFor(t, redis.socket);
  const folder = await mkdtemp(join(tmpdir(), 'rookery-drain-'));
  t.after(() => rm(folder, { recursive: true }));
  let told = 0;
  const hangs = (_: unknown, signal: AbortSignal) =>
    new Promise<Outcome>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        told += 1;
        reject(new Error('told to end'));
      });
    });
  producer.ring('moves', { name: 'user.a' });
  producer.ring('usage', { server: 'mail1' });
  const running = await startRoles({
    config: loadConfig({
      env: { ROOKERY_REDIS__URL: redis.socket, ROOKERY_DATA: folder, ROOKERY_LOG__LEVEL: 'silent' },
    }),
    ...{ roles: ['worker'], out: () => undefined, worker: { drain: { idle: 10, deadline: 1_000 } } },
    startWorkers: (start) => Promise.resolve(workOn(redis.socket, { moves: hangs, usage: hangs }, start)),
  });
  t.after(() => running.stop());
  await until('both run', async () => {
    return (await backlog.counts('moves')).active + (await backlog.counts('usage')).active === 2;
  });
  assert.equal(await running.done, 'the deadline is near');
  assert.equal(told, 0);
  await running.stop();
  assert.equal(told, 2);
  for (const queue of ['moves', 'usage'] as const) {
    const { waiting, active } = await backlog.counts(queue);
    assert.deepEqual({ waiting, active }, { waiting: 1, active: 0 });
  }
});
