// What a job says, and what is said of one that this program cannot read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  NewerJob,
  UnfitJob,
  envelopeOf,
  readJob,
  subjectOf,
  withFailures,
  writeJob,
} from '../../services/events/envelope.ts';
import { oneMore } from '../../services/events/failure.ts';
import { isQueueName, queueNames } from '../../services/events/queues.ts';
import { traceId } from '../../services/events/trace.ts';

const byteStrings = fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a job read is the job written, whatever bytes are in the name', () => {
  fc.assert(
    fc.property(byteStrings, (name) => {
      for (const [{ data, subject }, read] of [
        [writeJob('reconcile', { name }), (stored: unknown) => readJob('reconcile', stored)],
        [writeJob('placement', { name }), (stored: unknown) => readJob('placement', stored)],
        [writeJob('moves', { name }), (stored: unknown) => readJob('moves', stored)],
      ] as const) {
        const stored: unknown = JSON.parse(JSON.stringify(data));
        assert.deepEqual(read(stored), { name });
        assert.match(subject, /^[\w-]*$/);
      }
      const tree: unknown = JSON.parse(JSON.stringify(writeJob('replication', { tree: name }).data));
      assert.deepEqual(readJob('replication', tree), { tree: name });
      assert.equal(subjectOf('replication', tree), name);
      const server: unknown = JSON.parse(JSON.stringify(writeJob('usage', { server: name }, traceparent).data));
      assert.deepEqual(readJob('usage', server), { server: name });
      assert.equal(subjectOf('usage', server), name);
    }),
  );
});

test('jobs about different names have different subjects', () => {
  fc.assert(
    fc.property(byteStrings, byteStrings, (a, b) => {
      const same = writeJob('reconcile', { name: a }).subject === writeJob('reconcile', { name: b }).subject;
      assert.equal(same, a === b);
    }),
  );
});

test('a job that cannot be read is refused: the field, its value and what it may be', () => {
  for (const [data, reason] of [
    [{ v: 0, name: 'dXNlcg' }, 'a job of placement in version 0: this program knows version 1'],
    [{ name: 'dXNlcg' }, 'not a job of placement: v is missing: it may be 1'],
    [{ v: 'one', name: 'dXNlcg' }, 'not a job of placement: v is "one": it may be 1'],
    [null, 'not a job of placement: it is null: it may be an object'],
    [[1], 'not a job of placement: it is [1]: it may be an object'],
    [{ v: 1 }, "not a job of placement: name is missing: it may be the name of a user's mailbox in base64url"],
    [
      { v: 1, name: 'user.jdoe!' },
      'not a job of placement: name is "user.jdoe!": it may be the name of a user\'s mailbox in base64url',
    ],
    [
      { v: 1, name: `${'x'.repeat(500)}!` },
      `not a job of placement: name is "${'x'.repeat(59)}... (503 characters): it may be the name of a user's mailbox in base64url`,
    ],
    [{ v: 1, name: '' }, 'not a job of placement: name is "": it may be the name of a user\'s mailbox in base64url'],
    [{ v: 1, name: 'dXNlcg', delete: true }, 'not a job of placement: "delete" is true: the fields are v, name'],
  ] as const) {
    assert.throws(
      () => readJob('placement', data),
      (error) => {
        assert.ok(error instanceof UnfitJob && !(error instanceof NewerJob));
        assert.equal(error.message, reason);
        return true;
      },
    );
    assert.equal(subjectOf('placement', data), undefined);
  }
});

test('a job of a newer version is no unfit one: a newer program may read it', () => {
  assert.throws(() => readJob('usage', { v: 2, servers: [] }), NewerJob);
});

test('what is no byte string is not written', () => {
  assert.throws(() => writeJob('reconcile', { name: 'ж' }));
  assert.throws(() => writeJob('usage', { server: '' }));
});

test('a trace goes with the job, and what is none does not', () => {
  assert.equal(envelopeOf(writeJob('usage', { server: 'a' }, traceparent).data).traceparent, traceparent);
  assert.equal(traceId(traceparent), '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(traceId(undefined), undefined);
  for (const none of [
    '',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-${'x'.repeat(500)}`,
  ]) {
    assert.deepEqual(writeJob('usage', { server: 'a' }, none).data, { v: 1, server: 'YQ' });
    const stored = { v: 1, server: 'YQ', traceparent: none };
    assert.equal(envelopeOf(stored).traceparent, undefined);
    assert.deepEqual(readJob('usage', stored), { server: 'a' });
  }
});

test('failures are kept beside a payload of any version, and change nothing of it', () => {
  const newer = { v: 9, what: { ever: [1] }, traceparent };
  const once = withFailures(newer, oneMore(undefined, 'newer', 1_000));
  const twice = withFailures(once, oneMore(envelopeOf(once).failures, 'away', 2_000));
  assert.deepEqual(envelopeOf(JSON.parse(JSON.stringify(twice))).failures, {
    ...{ kind: 'away', counts: { newer: 1, away: 1 }, first: 1_000 },
  });
  assert.deepEqual(withFailures(twice, undefined), newer);
  assert.equal(envelopeOf({ ...newer, failures: { kind: 'none such' } }).failures, undefined);
});

test('queues are known by name', () => {
  assert.deepEqual(queueNames, ['placement', 'moves', 'plans', 'replication', 'reconcile', 'usage', 'counts']);
  assert.ok(queueNames.every(isQueueName));
  assert.ok(!isQueueName('toString'));
});
