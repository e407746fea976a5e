// How many workers a pool gets, case by case.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demandOf } from '../../services/events/demand.ts';
import type { QueueDemand } from '../../services/events/demand.ts';
import { decide, mostWorkers } from '../../workers/autoscaler/decide.ts';
import type { PoolLimits } from '../../services/events/pool-limits.ts';
import type { History } from '../../workers/autoscaler/decide.ts';

const limits: PoolLimits = {
  ...{ concurrency: 10, min: 0, max: 8, targetPerWorker: 100, ageObjective: 30_000, cooldown: 60_000 },
  ...{ stepUp: 3, stepDown: 2, upEvery: 3_000, downEvery: 20_000 },
};
const idle: QueueDemand = { waiting: 0, prioritized: 0, due: 0, active: 0, oldestAge: 0, paused: false };
const queue = (more: Partial<QueueDemand>): QueueDemand => ({ ...idle, ...more });
const now = 1_000_000;

interface Case {
  queues: QueueDemand[];
  current?: number;
  leaving?: number;
  limits?: Partial<PoolLimits>;
  history?: History;
}

const decided = ({ queues, current = 0, leaving = 0, history = {}, ...rest }: Case) =>
  decide(queues, { current, leaving }, { ...limits, ...rest.limits }, history, now);

const table: [string, Case, number, RegExp][] = [
  ['nothing was ever to do', { queues: [idle] }, 0, /nothing to do/],
  ['one job wakes a worker', { queues: [queue({ waiting: 1 })] }, 1, /^1 in line, 100 for each/],
  ['a job with a priority does, too', { queues: [queue({ prioritized: 1 })] }, 1, /1 in line/],
  ['and one whose delay is over', { queues: [queue({ due: 1 })] }, 1, /1 in line/],
  [
    'all lines of all queues count',
    { queues: [queue({ waiting: 60, due: 60 }), queue({ prioritized: 90 })] },
    3,
    /210/,
  ],
  ['so many at a time, and no more', { queues: [queue({ waiting: 5_000 })], current: 2 }, 5, /8 is the most/],
  ['up to the maximum', { queues: [queue({ waiting: 5_000 })], current: 7 }, 8, /8 is the most/],
  [
    'the last growth must have had its time',
    { queues: [queue({ waiting: 5_000 })], current: 2, history: { grownAt: now - 2_999 } },
    ...([2, /grows to 8 when/] as const),
  ],
  [
    'but from nothing it grows at once',
    { queues: [queue({ waiting: 1 })], current: 0, history: { grownAt: now - 1 } },
    ...([1, /1 in line/] as const),
  ],
  [
    'a job that waits too long brings more, though few wait',
    { queues: [queue({ waiting: 90, active: 10, oldestAge: 30_001 })], current: 1 },
    ...([4, /the oldest of 90 in line has waited 30 s/] as const),
  ],
  [
    'but no more than have something to do',
    { queues: [queue({ waiting: 5, active: 10, oldestAge: 90_000 })], current: 1 },
    ...([2, /waited 90 s/] as const),
  ],
  ['a paused queue brings none', { queues: [queue({ waiting: 5_000, oldestAge: 90_000, paused: true })] }, 0, /paused/],
  [
    'beside one that is not paused it does not count',
    { queues: [queue({ waiting: 5_000, paused: true }), queue({ waiting: 5 })] },
    ...([1, /^5 in line/] as const),
  ],
  [
    'what a paused queue has running may finish',
    { queues: [queue({ paused: true, active: 25 })], current: 3, history: { below: { since: 0, peak: 1 } } },
    ...([3, /25 being worked on/] as const),
  ],
  [
    'fewer would do, but not for long enough',
    { queues: [queue({ waiting: 10 })], current: 5, history: { below: { since: now - 19_999, peak: 1 } } },
    ...([5, /fewer would do/] as const),
  ],
  [
    'fewer go at a time',
    { queues: [queue({ waiting: 10 })], current: 5, history: { below: { since: now - 20_000, peak: 1 } } },
    ...([3, /10 in line/] as const),
  ],
  [
    'and not below what was needed meanwhile',
    { queues: [queue({ waiting: 10 })], current: 5, history: { below: { since: now - 20_000, peak: 4 } } },
    ...([4, /10 in line/] as const),
  ],
  [
    'and not below what is being worked on',
    { queues: [queue({ active: 41 })], current: 6, history: { below: { since: now - 20_000, peak: 1 } } },
    ...([5, /41 being worked on/] as const),
  ],
  [
    'of which those that leave have some',
    { queues: [queue({ active: 41 })], current: 5, leaving: 2, history: { below: { since: now - 20_000, peak: 1 } } },
    ...([5, /41 being worked on/] as const),
  ],
  [
    'before the cool-down is over, one stays',
    { queues: [idle], current: 2, history: { emptySince: now - 59_999, below: { since: now - 40_000, peak: 0 } } },
    ...([1, /nothing to do/] as const),
  ],
  [
    'after it all go, whatever the steps',
    { queues: [idle], current: 7, history: { emptySince: now - 60_000 } },
    ...([0, /nothing to do for 60 s/] as const),
  ],
  [
    'down to the minimum',
    { queues: [idle], current: 7, history: { emptySince: now - 60_000 }, limits: { min: 2 } },
    ...([2, /nothing to do/] as const),
  ],
  ['the minimum is there at once', { queues: [idle], limits: { min: 5 } }, 5, /fewer than 5 can't be/],
  [
    'what one backend may have bounds the workers',
    { queues: [queue({ waiting: 5_000 })], current: 2, limits: { backendLimit: 39 } },
    ...([3, /3 is the most/] as const),
  ],
  [
    'others may work off the same queues: no growth beyond the maximum for them',
    { queues: [queue({ active: 500 })], current: 8 },
    ...([8, /500 being worked on/] as const),
  ],
  [
    'a maximum that was lowered ends no worker that has a job',
    { queues: [queue({ active: 60, waiting: 500 })], current: 6, limits: { max: 2 } },
    ...([6, /fewer than 6 can't be/] as const),
  ],
];

for (const [name, one, desired, reason] of table) {
  test(name, () => {
    const decision = decided(one);
    assert.equal(decision.desired, desired, decision.reason);
    assert.match(decision.reason, reason);
  });
}

test('a clock that was set back delays nothing for longer than the time itself', () => {
  const ahead: History = { grownAt: now + 1e9, emptySince: now + 1e9, below: { since: now + 1e9, peak: 0 } };
  const { history } = decided({ queues: [idle], current: 5, history: ahead });
  assert.deepEqual([history.emptySince, history.below?.since], [now, now]);
  const busy = decided({ queues: [queue({ waiting: 500 })], current: 1, history: ahead });
  const later = decide([queue({ waiting: 500 })], { current: 1, leaving: 0 }, limits, busy.history, now + 3_000);
  assert.equal(later.desired, 4);
});

test('a pool of queues that are all paused is paused; of none, it is not', () => {
  const paused = queue({ paused: true, waiting: 3, active: 2, oldestAge: 5 });
  assert.deepEqual(demandOf([paused]), { depth: 0, active: 2, oldestAge: 0, paused: true });
  assert.equal(demandOf([paused, idle]).paused, false);
  assert.equal(demandOf([]).paused, false);
});

test('there is always room for one worker', () => {
  assert.equal(mostWorkers({ ...limits, backendLimit: 5 }), 1);
  assert.equal(mostWorkers({ ...limits, backendLimit: 1_000 }), 8);
  assert.equal(mostWorkers(limits), 8);
  assert.equal(mostWorkers({ ...limits, atOnce: 21 }), 3);
  assert.equal(mostWorkers({ ...limits, atOnce: 1 }), 1);
});
