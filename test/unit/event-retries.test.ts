// What kind of failure an error is, and when another attempt follows it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JobFailure, failureKinds, kindOf, oneMore } from '../../services/events/failure.ts';
import type { FailureKind, Failures } from '../../services/events/failure.ts';
import { nextPause } from '../../services/events/retry.ts';

const retries = {
  away: { attempts: 10, pause: 2_000, longest: 300_000 },
  busy: { attempts: 4, pause: 3_000, longest: 3_000 },
  fault: { attempts: 3, pause: 10_000, longest: 60_000 },
  newer: { pause: 10_000, atMost: 60_000 },
};

test('an error says its kind, itself or by a cause; what says nothing is a fault of ours', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  assert.equal(kindOf(refused), 'away');
  assert.equal(kindOf(new Error('mail1 cannot be asked', { cause: refused })), 'away');
  assert.equal(kindOf(AbortSignal.timeout(0).reason ?? new DOMException('late', 'TimeoutError')), 'away');
  assert.equal(kindOf(new JobFailure('busy', 'in use')), 'busy');
  assert.equal(kindOf(new JobFailure('refused', 'no such partition', { cause: refused })), 'refused');
  assert.equal(kindOf(Object.assign(new Error('x'), { kind: 'refused' })), 'refused');
  assert.equal(kindOf(Object.assign(new Error('x'), { kind: 'newer' })), 'fault');
  assert.equal(kindOf(new TypeError('x is undefined')), 'fault');
  assert.equal(kindOf('text'), 'fault');
  assert.equal(kindOf(undefined), 'fault');
  const round = new Error('round');
  round.cause = round;
  assert.equal(kindOf(round), 'fault');
});

/** The pauses of a job that always fails so, without chance. */
function pausesOf(kind: FailureKind, longestPause?: number): number[] {
  const pauses: number[] = [];
  let failures: Failures | undefined;
  for (let now = 1_000_000; ;) {
    failures = oneMore(failures, kind, now);
    const pause = nextPause(failures, retries, { now, chance: 0, longestPause });
    if (pause === undefined) return pauses;
    pauses.push(pause);
    now += pause;
  }
}

test('each kind has its pauses and its end', () => {
  const s = (...seconds: number[]) => seconds.map((one) => one * 1_000);
  assert.deepEqual(pausesOf('away'), s(2, 4, 8, 16, 32, 64, 128, 256, 300));
  assert.deepEqual(pausesOf('away', 60_000), s(2, 4, 8, 16, 32, 60, 60, 60, 60));
  assert.deepEqual(pausesOf('busy'), s(3, 3, 3));
  assert.deepEqual(pausesOf('fault'), s(10, 20));
  assert.deepEqual(pausesOf('newer'), s(10, 10, 10, 10, 10, 10));
  for (const kind of ['refused', 'unfit', 'lost'] as const) assert.deepEqual(pausesOf(kind), []);
});

test('failures of one kind use up no attempts of another, and every job comes to an end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...failureKinds), { minLength: 200, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (kinds, chance) => {
        let failures: Failures | undefined;
        let now = 0;
        for (const kind of kinds) {
          failures = oneMore(failures, kind, now);
          const pause = nextPause(failures, retries, { now, chance });
          if (pause === undefined) return;
          assert.ok(pause >= 1_500 && pause <= 300_000);
          if (kind === 'away' || kind === 'busy' || kind === 'fault') {
            assert.ok((failures.counts[kind] ?? 0) < retries[kind].attempts);
          }
          now += pause;
        }
        assert.fail('it is tried for ever');
      },
    ),
  );
});
