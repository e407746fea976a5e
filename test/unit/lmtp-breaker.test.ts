// When a backend is not tried any more, when it is asked again, and in which order its addresses are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackendPlaces } from '../../services/lmtp/backend-places.ts';
import { Breaker } from '../../services/lmtp/breaker.ts';

test('so many failures in a row open it; a success between them begins the count anew', () => {
  const breaker = new Breaker({ failures: 3, pause: 100 });
  assert.deepEqual([breaker.failed(0), breaker.failed(1), breaker.state], [false, false, 'closed']);
  breaker.succeeded();
  assert.deepEqual([breaker.failed(2), breaker.failed(3), breaker.failed(4)], [false, false, true]);
  assert.deepEqual([breaker.state, breaker.failures, breaker.probeAt], ['open', 3, 104]);
});

test('open, it lets one probe through after each pause, and one success closes it', () => {
  const breaker = new Breaker({ failures: 1, pause: 100 });
  breaker.failed(0);
  assert.equal(breaker.probes(99), false);
  assert.equal(breaker.probes(100), true);
  assert.deepEqual([breaker.state, breaker.probes(100)], ['half-open', false]);
  breaker.failed(150);
  assert.deepEqual([breaker.state, breaker.probeAt], ['open', 250]);
  assert.equal(breaker.probes(250), true);
  breaker.succeeded();
  assert.deepEqual([breaker.state, breaker.failures], ['closed', 0]);
});

test('attempts that had begun before it opened do not put the probe off', () => {
  const breaker = new Breaker({ failures: 2, pause: 100 });
  for (const now of [0, 1, 50, 90]) breaker.failed(now);
  assert.equal(breaker.probeAt, 101);
});

test('whatever happens, never two probes at a time, and never one that is not due', () => {
  const step = fc.record({ what: fc.constantFrom('failed', 'succeeded', 'probes'), after: fc.nat(60) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, failures) => {
      const breaker = new Breaker({ failures, pause: 100 });
      let [now, probing, opened] = [0, false, 0];
      for (const { what, after } of steps) {
        now += after;
        const before = breaker.state;
        if (what === 'failed') {
          breaker.failed(now);
          probing = false;
          if (before !== 'open' && breaker.state === 'open') opened = now;
        } else if (what === 'succeeded') {
          breaker.succeeded();
          probing = false;
        } else if (breaker.probes(now)) {
          assert.ok(!probing && before === 'open' && now - opened >= 100);
          probing = true;
        }
      }
    }),
  );
});

test('addresses are tried in their order; one that failed lately is tried last, and then in its turn again', () => {
  const places = new BackendPlaces([{ path: '/a' }, { path: '/b' }, { path: '/c' }], 100);
  assert.deepEqual(places.order(0), [0, 1, 2]);
  places.failed(0, 0);
  assert.deepEqual(places.order(50), [1, 2, 0]);
  places.failed(1, 60);
  assert.deepEqual(places.order(70), [2, 0, 1]);
  assert.deepEqual(places.order(101), [0, 2, 1]);
  places.succeeded(1);
  assert.deepEqual(places.order(101), [0, 1, 2]);
});
