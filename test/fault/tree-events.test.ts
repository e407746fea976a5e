// Events of trees under 8 worker processes that are killed all the time: in order per tree, none lost.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds } from '../harness/cpu.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { appliedIn, assertInOrder, openTrees, queue } from '../harness/tree-events.ts';
import { TreeWorker } from '../harness/tree-worker.ts';
import { until } from '../harness/until.ts';

const full = process.env['ROOKERY_TEST_SCALE'] === 'full';
const [count, trees] = full ? [200_000, 2_000] : [10_000, 200];
const workers = 8;

/** Soon, where workers are killed. Where none is, a busy machine must not make it look so: nothing may come twice there. */
const lostAfter = 1_000;

/** The longest pause between a worker that is ready in place of a killed one and the next kill, in milliseconds. */
const longestPause = 400;

let redis: ScratchRedis;
let folder = '';
before(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'rookery-trees-'));
});
after(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

/** All workers are busy whenever one is killed; at full size with many events, else with slow ones. */
const work = full ? { batch: 20, work: 3 } : { batch: 5, work: 1_000 };

/** Some workers, some trees and a file; `feed` appends all events, of random trees, in parts, the last one when `ready` says so. */
async function stand(t: TestContext, file: string, settings: { batch: number; work: number; lostAfter: number }) {
  const opened = openTrees(redis.socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  const path = join(folder, file);
  const start = () => new TreeWorker({ socket: redis.socket, file: path, ...settings });
  const running = Array.from({ length: workers }, start);
  t.after(() => Promise.all(running.map((worker) => worker.kill9())));
  await Promise.all(running.map((worker) => worker.says('ready')));
  const expected = new Map<string, number>();
  const feed = async (ready: () => Promise<void>) => {
    const parts = full ? 100 : 10;
    for (let part = 0; part < parts; part += 1) {
      if (part === parts - 1) await ready();
      const events = Array.from({ length: count / parts }, () => {
        const tree = `user.u${Math.floor(Math.random() * trees)}`;
        const number = (expected.get(tree) ?? 0) + 1;
        expected.set(tree, number);
        return { tree, body: String(number) };
      });
      await opened.trees.append(queue, events);
    }
  };
  const empty = () =>
    until('all lists are empty', async () => (await opened.lists.load()).events === 0, full ? 600_000 : 60_000);
  const verdict = async () => assertInOrder(appliedIn(await readFile(path, 'latin1')), expected);
  return { ...opened, running, start, feed, empty, verdict };
}

function tell(t: TestContext, seconds: number, what: string): void {
  const rate = `${count} events, ${trees} trees, ${workers} processes: ${Math.round(count / seconds)} events/s`;
  t.diagnostic(`${rate}${what}; load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} processors`);
}

test("each tree's events are applied once and in order by 8 worker processes", async (t) => {
  const { feed, empty, verdict, running } = await stand(t, 'calm', { batch: 100, work: 0, lostAfter: 30_000 });
  const used = async () => [
    await cpuSeconds(running.map(({ pid }) => pid)),
    await cpuSeconds([redis.pid ?? 0]),
    await cpuSeconds([process.pid]),
  ];
  const before = await used();
  const since = performance.now();
  await feed(() => Promise.resolve());
  await empty();
  const seconds = (performance.now() - since) / 1000;
  const spent = (await used()).map((after = 0, n) => (((after - (before[n] ?? 0)) / count) * 100_000).toFixed(1));
  tell(t, seconds, `; CPU seconds for 100,000 events: workers ${spent[0]}, Redis ${spent[1]}, feeder ${spent[2]}`);
  assert.deepEqual(await verdict(), { repeated: 0, restarts: 0 });
});

test('workers killed at random all the time: none lost, and in order', async (t) => {
  const { running, start, feed, empty, verdict, trees: events } = await stand(t, 'killed', { ...work, lostAfter });
  let kills = 0;
  const end = new AbortController();
  const killing = (async () => {
    while (!end.signal.aborted) {
      await sleep(Math.random() * longestPause);
      const victim = Math.floor(Math.random() * workers);
      await running[victim]?.kill9();
      kills += 1;
      const next = start();
      running[victim] = next;
      await next.says('ready');
    }
  })();
  const sweeping = setInterval(() => void events.sweep(queue, lostAfter), 500);
  try {
    const since = performance.now();
    await feed(() => until('some were killed', () => kills > 2, 60_000));
    await empty();
    const seconds = (performance.now() - since) / 1000;
    end.abort();
    await killing;
    const { repeated, restarts } = await verdict();
    tell(t, seconds, `; ${kills} kills, ${repeated} events applied again, after ${restarts} losses of a worker`);
  } finally {
    end.abort();
    await killing.catch(() => undefined);
    clearInterval(sweeping);
  }
});
