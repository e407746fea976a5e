// What Kubernetes is told of a pool: whole at first, paced from then on, nothing of pools that are not there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import type { QueueDemand } from '../../services/events/demand.ts';
import { poolsOf } from '../../services/process/scaling-pools.ts';
import { scalingStates } from '../../services/process/scaling-state.ts';

const idle: QueueDemand = { waiting: 0, prioritized: 0, due: 0, active: 0, oldestAge: 0, paused: false };
const env = { ROOKERY_SCALING__POOLS: '{ work: { queues: [reconcile], max: 10, step_up: 2, cooldown: 60 } }' };

function states(demand: () => QueueDemand) {
  let now = 0;
  const read = scalingStates(
    poolsOf(loadConfig({ env })),
    () => Promise.resolve(demand()),
    () => now,
  );
  return {
    read,
    at: async (seconds: number) => {
      now = seconds * 1000;
      return (await read('work'))?.desired;
    },
  };
}

test('the state has all that is asked for, and why', async () => {
  const { read } = states(() => ({ ...idle, waiting: 150, due: 50, prioritized: 1, active: 3, oldestAge: 4_400 }));
  assert.deepEqual(await read('work'), {
    ...{ desired: 3, depth: 201, active: 3, oldestAgeSeconds: 4, paused: false },
    reason: '201 in line, 100 for each worker',
  });
  assert.equal(await read('nosuch'), undefined);
});

test('the first answer is all that is wanted, for nobody knows how many workers there are; then it goes by steps', async () => {
  let demand = { ...idle, waiting: 5_000, active: 60 };
  const { at } = states(() => demand);
  assert.equal(await at(0), 10);
  demand = { ...idle, active: 60 };
  assert.deepEqual([await at(30), await at(60)], [10, 9]);
  demand = idle;
  assert.deepEqual([await at(70), await at(129), await at(131)], [9, 8, 0]);
  demand = { ...idle, waiting: 5_000 };
  assert.deepEqual([await at(132), await at(133), await at(136)], [2, 2, 4]);
});

test('asked often or seldom, it comes to the same', async () => {
  const answers = async (every: number) => {
    const { at } = states(() => idle);
    await at(0);
    for (let second = every; second < 120; second += every) await at(second);
    return at(120);
  };
  assert.equal(await answers(1), await answers(30));
});

test('where the queues cannot be asked, nothing is made up', async () => {
  const pools = poolsOf(loadConfig({ env }));
  const read = scalingStates(pools, () => Promise.reject(new Error('Redis does not answer')));
  await assert.rejects(read('work'), /Redis does not answer/);
});

test('a pool for moves alone has no more workers than moves may be under way; another one does not care', () => {
  const pools = '{ moving: { queues: [moves, plans], concurrency: 4 }, rest: { max: 9 } }';
  const both = { ROOKERY_SCALING__POOLS: pools, ROOKERY_MOVES__LIMITS__TOTAL: '10' };
  const all = poolsOf(loadConfig({ env: both }));
  assert.deepEqual(
    all.map(({ name, limits }) => [name, limits.atOnce]),
    [
      ['moving', 10],
      ['rest', undefined],
    ],
  );
});
