// What holds of the number of workers whatever the queues do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { QueueDemand } from '../../services/events/demand.ts';
import { decide, mostWorkers } from '../../workers/autoscaler/decide.ts';
import type { PoolLimits } from '../../services/events/pool-limits.ts';
import type { History } from '../../workers/autoscaler/decide.ts';

const amount = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50_000 }));
const anyQueue: fc.Arbitrary<QueueDemand> = fc.record({
  ...{ waiting: amount, prioritized: amount, due: amount, active: amount },
  ...{ oldestAge: fc.integer({ min: 0, max: 200_000 }), paused: fc.boolean() },
});
const anyLimits: fc.Arbitrary<PoolLimits> = fc
  .record({
    ...{ concurrency: fc.integer({ min: 1, max: 40 }), max: fc.integer({ min: 1, max: 30 }) },
    ...{ min: fc.integer({ min: 0, max: 30 }), targetPerWorker: fc.integer({ min: 1, max: 500 }) },
    ...{ ageObjective: fc.integer({ min: 1, max: 60_000 }), cooldown: fc.integer({ min: 1, max: 90_000 }) },
    ...{ stepUp: fc.integer({ min: 1, max: 10 }), stepDown: fc.integer({ min: 1, max: 10 }) },
    ...{ upEvery: fc.integer({ min: 1, max: 20_000 }), downEvery: fc.integer({ min: 1, max: 60_000 }) },
    backendLimit: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  })
  .map(({ min, max, backendLimit, ...rest }) => ({
    ...{ ...rest, max, min: Math.min(min, max) },
    ...(backendLimit !== undefined && { backendLimit }),
  }));
const anyQueues = fc.array(anyQueue, { minLength: 1, maxLength: 3 });
const busyOf = (queues: readonly QueueDemand[], { concurrency }: PoolLimits) =>
  Math.max(...queues.map(({ active }) => Math.ceil(active / concurrency)));

/** Decides once a second on one demand after the other; as many workers as are wanted are there at once. */
function* play(demands: Iterable<QueueDemand[]>, limits: PoolLimits, current = 0) {
  let history: History = {};
  let workers = current;
  let now = 0;
  for (const queues of demands) {
    const decision = decide(queues, { current: workers, leaving: 0 }, limits, history, now);
    yield { before: workers, queues, now, ...decision };
    ({ history } = decision);
    workers = decision.desired;
    now += 1000;
  }
}

function* repeated(queues: QueueDemand[], times: number) {
  for (let at = 0; at < times; at++) yield queues;
}

test('within the limits, never below what is being worked on, in steps that are allowed', () => {
  fc.assert(
    fc.property(fc.array(anyQueues, { maxLength: 60 }), anyLimits, fc.nat(40), (demands, limits, start) => {
      const most = mostWorkers(limits);
      const least = Math.min(limits.min, most);
      let grown = -Infinity;
      let shrunk = -Infinity;
      for (const { desired, before, queues, now } of play(demands, limits, start)) {
        const busy = busyOf(queues, limits);
        assert.ok(Number.isInteger(desired) && desired >= least, `${desired} is below the minimum`);
        assert.ok(desired <= Math.max(most, before), `${desired} of at most ${most}`);
        assert.ok(desired >= Math.min(busy, most), `${desired} for ${busy} that are busy`);
        assert.ok(desired >= Math.min(busy, before), `${desired} of ${before} is below the ${busy} that are busy`);
        const lowest = Math.max(least, Math.min(busy, Math.max(most, before)));
        if (desired > before) {
          assert.ok(desired <= Math.max(before + limits.stepUp, lowest), `from ${before} to ${desired}`);
          assert.ok(
            desired === lowest || before === 0 || now - grown >= limits.upEvery,
            `grew ${now - grown} ms after`,
          );
          grown = now;
        }
        const empty = queues.every(({ waiting, prioritized, due, active, paused }) => {
          return active === 0 && (paused || waiting + prioritized + due === 0);
        });
        if (desired < before && !(empty && desired === lowest)) {
          assert.ok(before - desired <= limits.stepDown, `from ${before} to ${desired}`);
          assert.ok(now - shrunk >= limits.downEvery, `shrank ${now - shrunk} ms after`);
          shrunk = now;
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a steady demand leads to one number, from one side, and stays there', () => {
  fc.assert(
    fc.property(anyQueues, anyLimits, fc.nat(40), (queues, limits, start) => {
      const numbers = Array.from(play(repeated(queues, 1500), limits, start), ({ desired }) => desired);
      const turns = numbers.filter((number, at) => {
        const before = numbers[at - 1] ?? start;
        const next = numbers.slice(at + 1).find((other) => other !== number);
        return number !== before && next !== undefined && number > before !== next > number;
      });
      assert.deepEqual(turns, [], `it turned at ${turns.join()}`);
    }),
    { numRuns: 100 },
  );
});

test('a job that can be taken has a worker at the next decision', () => {
  fc.assert(
    fc.property(anyQueues, anyLimits, (queues, limits) => {
      fc.pre(queues.some(({ waiting, paused }) => waiting > 0 && !paused));
      const [first] = Array.from(play([queues], limits));
      assert.ok(first && first.desired >= 1);
    }),
  );
});

test('with nothing to do the minimum is left when the cool-down is over', () => {
  const nothing: QueueDemand = { waiting: 0, prioritized: 0, due: 0, active: 0, oldestAge: 0, paused: false };
  fc.assert(
    fc.property(fc.array(anyQueues, { minLength: 1, maxLength: 20 }), anyLimits, (demands, limits) => {
      const quiet = Math.ceil(limits.cooldown / 1000) + 1;
      const all = Array.from(play([...demands, ...repeated([nothing], quiet)], limits));
      assert.equal(all.at(-1)?.desired, Math.min(limits.min, mostWorkers(limits)));
    }),
  );
});

test('where all is paused nothing grows, but to the minimum and for jobs that somebody has', () => {
  fc.assert(
    fc.property(fc.array(anyQueues, { maxLength: 20 }), anyLimits, fc.nat(40), (demands, limits, start) => {
      const paused = demands.map((queues) => queues.map((queue) => ({ ...queue, paused: true, active: 0 })));
      for (const { desired, before } of play(paused, limits, start)) {
        assert.ok(
          desired <= Math.max(before, Math.min(limits.min, mostWorkers(limits))),
          `from ${before} to ${desired}`,
        );
      }
    }),
  );
});
