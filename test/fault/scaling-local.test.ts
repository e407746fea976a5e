// Scaling for real: worker processes come with the jobs and go when there are none, and no job is interrupted.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { readDemand } from '../../services/events/demand-reader.ts';
import type { Pool } from '../../services/events/scaling.ts';
import { scaleLocally } from '../../workers/autoscaler/local.ts';
import { textPlot } from '../../workers/autoscaler/plot.ts';
import type { PlotPoint } from '../../workers/autoscaler/plot.ts';
import { keptLog, queuesFor } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const full = process.env['ROOKERY_TEST_SCALE'] === 'full';
const jobs = full ? 5_000 : 500;
/** How long a job takes, in milliseconds. */
const jobTime = full ? 40 : 100;

const pool: Pool = {
  ...{ name: 'test', queues: ['reconcile'] },
  limits: {
    ...{ concurrency: 5, min: 0, max: 3, targetPerWorker: 50, ageObjective: 30_000, cooldown: 2_000 },
    ...{ stepUp: 1, stepDown: 1, upEvery: 500, downEvery: 1_000 },
  },
};

const redis = redisOfFile();

function scale(
  t: TestContext,
  opened: Awaited<ReturnType<typeof queuesFor>>,
  what: string,
  every = 200,
  more: Partial<Pool['limits']> = {},
) {
  const log = keptLog();
  const scaling = scaleLocally({
    ...{ pools: [{ ...pool, limits: { ...pool.limits, ...more } }], every, grace: 10_000, log, env: process.env },
    demand: (queue) => readDemand(opened.queues, queue),
    program: [process.execPath, join(import.meta.dirname, '../harness/pool-worker.ts'), redis.socket, what],
    args: ({ limits }) => ['--concurrency', String(limits.concurrency)],
  });
  t.after(() => scaling.stop());
  const view = () => {
    const [found] = scaling.pools();
    assert.ok(found);
    return found;
  };
  return { scaling, log, view };
}

test(`from no worker: ${jobs} jobs come, workers grow to the limit, empty the queue, and go`, async (t) => {
  const opened = await queuesFor(t, redis.socket);
  const { log, view } = scale(t, opened, String(jobTime));
  const points: PlotPoint[] = [];
  const began = Date.now();
  let firstDone: number | undefined;
  for (let at = 0; at < jobs; at++) opened.producer.ring('reconcile', { name: `user.u${at}` });
  await until(
    'all jobs are done and no worker is left',
    async () => {
      const { waiting, oldestAge } = await readDemand(opened.queues, 'reconcile');
      const { completed } = await opened.backlog.counts('reconcile');
      const { current, leaving } = view();
      const at = (Date.now() - began) / 1000;
      if (completed > 0) firstDone ??= at;
      points.push({ at, depth: waiting, oldestAge: oldestAge / 1000, workers: current + leaving });
      return completed === jobs && current + leaving === 0;
    },
    120_000,
  );
  t.diagnostic(`the first job was done after ${firstDone?.toFixed(1) ?? '?'} s`);
  for (const line of textPlot(points)) t.diagnostic(line);
  const most = Math.max(...points.map(({ workers }) => workers));
  assert.equal(most, pool.limits.max);

  const done = await opened.queues.queue('reconcile').getJobs('completed', 0, -1);
  assert.equal(done.length, jobs);
  const again = done.filter(({ attemptsStarted }) => attemptsStarted !== 1);
  assert.deepEqual(
    again.map(({ id }) => id),
    [],
    'no job was begun twice: none was interrupted',
  );
  const pids = new Set(done.map(({ returnvalue }) => (returnvalue as { note: string }).note));
  assert.ok(pids.size > 1, 'more than one worker has done some');
  assert.deepEqual(
    log.lines.filter(({ level }) => level !== 'info'),
    [],
  );
  assert.match(log.lines[0]?.['reason'] as string, /in line, 50 for each worker/);
});

test('a worker that dies again and again is not started all the time', async (t) => {
  const opened = await queuesFor(t, redis.socket);
  const { log, view } = scale(t, opened, 'dies', 50);
  opened.producer.ring('reconcile', { name: 'user.a' });
  const deaths = () => log.lines.filter(({ text }) => text.startsWith('scaling: a worker ended by itself'));
  await until('two have died', () => deaths().length === 2);
  assert.deepEqual(
    deaths().map(({ ending, pause_ms }) => [ending, pause_ms]),
    [
      ['code 3', 1_000],
      ['code 3', 2_000],
    ],
  );
  assert.equal(view().desired, 1);
});

test('while Redis is away the workers stay as they are; the log says so once', async (t) => {
  const opened = await queuesFor(t, redis.socket);
  const { log, view } = scale(t, opened, '10', 50, { min: 1 });
  await until('a worker is there', () => view().current === 1);
  await redis.kill9();
  const notAsked = () => log.lines.filter(({ text }) => text === 'scaling: the queues could not be asked').length;
  await until('it is noticed', () => notAsked() === 1);
  assert.equal(view().current, 1);
  await redis.restart();
  opened.producer.ring('reconcile', { name: 'user.a' });
  const done = async () => (await opened.backlog.counts('reconcile').catch(() => undefined))?.completed === 1;
  await until('the same worker does the next job', done, 30_000);
  assert.deepEqual([view().current, notAsked()], [1, 1]);
  assert.deepEqual(log.lines.filter(({ text }) => text === 'scaling').length, 1);
});
