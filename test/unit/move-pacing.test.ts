// When moves of a run may begin: limits against a model that counts one by one, octets a second, windows of time, stopping by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Load, mayBegin } from '../../services/moves/pacing.ts';
import type { Bucket, Paced } from '../../services/moves/pacing.ts';
import { retried, rowStates, stopReason, turned } from '../../services/moves/run.ts';
import type { Counts, Limits, Run, StopWhen } from '../../services/moves/run.ts';
import { isOpen, localTime, windowOf } from '../../services/moves/windows.ts';

const place = fc.record({ server: fc.constantFrom('a', 'b', 'c'), partition: fc.constantFrom('', 'p', 'q') });
const paced = fc.record({ from: place, to: place, octets: fc.integer({ min: 0, max: 1000 }) });
const bound = fc.integer({ min: 0, max: 5 });
const limitsOf = fc.record({
  ...{ total: bound, perSource: bound, perDestination: bound, perPartition: bound, bytesPerSecond: fc.constant(0) },
});
const empty: Bucket = { owed: 0, at: 0 };

/** Said once more, plainly: whether all limits hold for what is under way. */
function holds(active: readonly Pick<Paced, 'from' | 'to'>[], limits: Limits): boolean {
  const most = (keys: (one: Pick<Paced, 'from' | 'to'>) => string[]) => {
    const all = active.flatMap((one) => [...new Set(keys(one))]);
    return Math.max(0, ...all.map((key) => all.filter((other) => other === key).length));
  };
  return (
    active.length <= limits.total &&
    most(({ from }) => [from.server]) <= limits.perSource &&
    most(({ to }) => [to.server]) <= limits.perDestination &&
    most(({ from, to }) => [JSON.stringify(from), JSON.stringify(to)]) <= limits.perPartition
  );
}

test('what begins keeps all limits beside what is under way, in order, and nothing waits that could have begun', () => {
  fc.assert(
    fc.property(fc.array(paced), fc.array(paced, { maxLength: 5 }), limitsOf, (waiting, before, limits) => {
      const { begin } = mayBegin(waiting, before, limits, empty, 0);
      const expected: Paced[] = [];
      for (const one of waiting) {
        // What was too much before, for limits that were lowered, is not made worse.
        const after = [...before, ...expected, one];
        const others = { ...limits, perPartition: Infinity, perSource: Infinity, perDestination: Infinity };
        const part = (how: (other: Paced) => boolean) => after.filter(how);
        const touches = (at: Paced['from']) => (other: Paced) =>
          [other.from, other.to].some(({ server, partition }) => server === at.server && partition === at.partition);
        const fits =
          holds(after, others) &&
          part(({ from }) => from.server === one.from.server).length <= limits.perSource &&
          part(({ to }) => to.server === one.to.server).length <= limits.perDestination &&
          part(touches(one.from)).length <= limits.perPartition &&
          part(touches(one.to)).length <= limits.perPartition;
        if (fits) expected.push(one);
      }
      assert.deepEqual(begin, expected);
      if (holds(before, limits)) assert.ok(holds([...before, ...begin], limits));
      assert.deepEqual(mayBegin(waiting, before, limits, empty, 0).begin, begin, 'the same again');
    }),
    { numRuns: 2000 },
  );
});

test('the room that is told is what can begin of one route', () => {
  fc.assert(
    fc.property(paced, fc.array(paced, { maxLength: 5 }), limitsOf, (one, active, limits) => {
      const room = new Load(active).room(one, limits);
      assert.equal(mayBegin(Array<Paced>(20).fill(one), active, limits, empty, 0).begin.length, room);
    }),
  );
});

test('octets a second hold over any time, but for a second ahead and the one tree that is larger than that', () => {
  const rate = 100;
  const limits = { total: 1000, perSource: 1000, perDestination: 1000, perPartition: 1000, bytesPerSecond: rate };
  fc.assert(
    fc.property(fc.array(paced), fc.array(fc.integer({ min: 0, max: 3000 })), (moves, pauses) => {
      let bucket: Bucket = { owed: 0, at: 0 };
      let waiting = moves;
      let now = 0;
      const begun: { at: number; octets: number }[] = [];
      for (const pause of pauses) {
        now += pause;
        const found = mayBegin(waiting, [], limits, bucket, now);
        bucket = found.bucket;
        begun.push(...found.begin.map(({ octets }) => ({ at: now, octets })));
        waiting = waiting.filter((one) => !found.begin.includes(one));
      }
      const largest = Math.max(0, ...moves.map(({ octets }) => octets));
      for (const first of begun) {
        for (const last of begun) {
          const sum = begun
            .filter(({ at }) => at >= first.at && at <= last.at)
            .reduce((total, { octets }) => total + octets, 0);
          if (last.at >= first.at) assert.ok(sum <= (rate * (last.at - first.at)) / 1000 + rate + largest + 1e-6);
        }
      }
    }),
  );
});

test('what is owed holds all back until it has flowed; a clock that was set back makes nothing flow, and other runs pay nothing', () => {
  const limits = { total: 9, perSource: 9, perDestination: 9, perPartition: 9, bytesPerSecond: 100 };
  const big = { from: { server: 'a', partition: '' }, to: { server: 'b', partition: '' }, octets: 1000 };
  const first = mayBegin([big, big], [], limits, empty, 5000);
  assert.deepEqual([first.begin.length, first.bucket], [1, { owed: 1000, at: 5000 }]);
  assert.equal(mayBegin([big], [big], limits, first.bucket, 13_999).begin.length, 0);
  assert.equal(mayBegin([big], [big], limits, first.bucket, 14_001).begin.length, 1);
  const back = mayBegin([big], [big], limits, first.bucket, 0);
  assert.deepEqual(back, { begin: [], bucket: { owed: 1000, at: 5000 } });
  const free = mayBegin([big, big], [], { ...limits, bytesPerSecond: 0 }, first.bucket, 5001);
  assert.deepEqual([free.begin.length, free.bucket], [2, first.bucket]);
});

test('windows are open when they say so, also past midnight on the days on which they begin', () => {
  const at = (day: number, hour: number, minute = 0) => ({ day, minute: hour * 60 + minute });
  for (const [window, moment, open] of [
    ['22:00-06:00', at(1, 21, 59), false],
    ['22:00-06:00', at(1, 22), true],
    ['22:00-06:00', at(1, 0), true],
    ['22:00-06:00', at(1, 5, 59), true],
    ['22:00-06:00', at(1, 6), false],
    ['fri 22:00-06:00', at(5, 23), true],
    ['fri 22:00-06:00', at(6, 5), true],
    ['fri 22:00-06:00', at(5, 5), false],
    ['sat 22:00-06:00', at(0, 5), true],
    ['mon-fri 09:00-17:00', at(3, 12), true],
    ['mon-fri 09:00-17:00', at(6, 12), false],
    ['fri-mon', at(0, 12), true],
    ['fri-mon', at(2, 12), false],
    ['sat,sun 10:00-24:00', at(6, 23, 59), true],
    ['sat,sun', at(0, 0), true],
    ['00:00-24:00', at(2, 3), true],
    ['08:00-08:00', at(2, 3), true],
    ['SAT 10:00-11:00', at(6, 10), true],
    ['nonsense', at(6, 10), false],
  ] as const)
    assert.equal(isOpen([window], moment), open, `${window} at ${JSON.stringify(moment)}`);
  assert.ok(isOpen([], at(3, 3)));
  assert.ok(isOpen(['01:00-02:00', 'wed 03:00-04:00'], at(3, 3)));
  for (const wrong of ['', '22-06', '24:00-01:00', '22:00-24:30', 'someday 10:00-11:00', 'mon,', '10:00-11:00 mon'])
    assert.equal(windowOf(wrong), undefined, wrong);
  const { day, minute } = localTime(new Date(2024, 1, 29, 13, 7, 30).getTime());
  assert.deepEqual([day, minute], [4, 13 * 60 + 7]);
});

const countsOf = (some: Partial<Counts>): Counts => ({
  ...(Object.fromEntries(rowStates.map((state) => [state, 0])) as unknown as Counts),
  ...some,
});
const off: StopWhen = { failed: 0, failedPercent: 0, deferred: 0, latency: 0 };

test('a run stops by itself at each of its bounds, and not for what an operator has seen', () => {
  const why = (when: Partial<StopWhen>, counts: Partial<Counts>, weather = {}, forgiven = { failed: 0, ended: 0 }) =>
    stopReason({ stopWhen: { ...off, ...when }, forgiven }, countsOf(counts), weather);
  assert.equal(why({ failed: 3 }, { refused: 1, stopped: 1 }), undefined);
  assert.equal(why({ failed: 3 }, { refused: 1, stopped: 2 }), '3 moves have failed; 3 stop it');
  assert.equal(why({ failed: 3 }, { refused: 1, back: 9 }), undefined, 'what was cancelled has not failed');
  assert.equal(why({ failed: 3 }, { refused: 3 }, {}, { failed: 1, ended: 1 }), undefined);
  assert.equal(why({ failed: 3 }, { skipped: 9, dropped: 9 }), undefined, 'what never began has not failed');
  assert.equal(why({ failedPercent: 10 }, { refused: 5, done: 14 }), undefined, 'too few to say');
  assert.equal(why({ failedPercent: 10 }, { refused: 2, done: 18 }), '2 of 20 moves have failed; 10 % stop it');
  assert.equal(why({ failedPercent: 10 }, { refused: 2, done: 19 }), undefined);
  assert.match(why({ deferred: 7 }, {}, { deferred: 7 }) ?? '', /^7 messages were put off/);
  assert.equal(why({ deferred: 7 }, {}, { deferred: 6 }), undefined);
  assert.equal(why({ deferred: 7 }, {}), undefined, 'nobody has told');
  const slowest = { server: 'mail1', seconds: 3.2 };
  assert.equal(why({ latency: 3 }, {}, { slowest }), 'mail1 takes 3.2 s to answer; more than 3 s stop it');
  assert.equal(why({ latency: 4 }, {}, { slowest }), undefined);
  assert.equal(why({}, { refused: 999 }, { deferred: 9999, slowest }), undefined, 'nothing is looked at');
});

test('a run turns as it may and no other way; what had failed is forgiven to one that goes on', () => {
  const run: Run = {
    ...{ id: 'r', plan: 'h', totals: { moves: 9, octets: 9 }, by: 'ann', since: 1, state: 'running', why: '' },
    limits: { total: 1, perSource: 1, perDestination: 1, perPartition: 1, bytesPerSecond: 0 },
    ...{ windows: [], stopWhen: off, forgiven: { failed: 0, ended: 0 } },
  };
  const counts = countsOf({ refused: 2, done: 3 });
  const may = (from: Run['state']) =>
    (['running', 'paused', 'stopped', 'cancelled', 'done'] as const).filter((to) =>
      turned({ ...run, state: from }, { to, why: 'x' }, counts),
    );
  assert.deepEqual(may('running'), ['paused', 'stopped', 'cancelled', 'done']);
  assert.deepEqual(may('paused'), ['running', 'cancelled', 'done']);
  assert.deepEqual(may('stopped'), ['running', 'paused', 'cancelled', 'done']);
  assert.deepEqual([may('cancelled'), may('done')], [[], []]);
  assert.deepEqual(turned({ ...run, state: 'stopped' }, { to: 'running', why: 'x' }, counts)?.forgiven, {
    ...{ failed: 2, ended: 5 },
  });
  const again = retried({ ...run, state: 'done', ended: 7 }, 'again', counts);
  assert.deepEqual([again?.state, again?.ended, again?.forgiven], ['running', undefined, { failed: 2, ended: 5 }]);
  assert.equal(retried({ ...run, state: 'paused' }, 'again', counts)?.state, 'paused');
  assert.equal(retried({ ...run, state: 'cancelled' }, 'again', counts), undefined);
});
