// What a job says, and what is said of one that this program cannot read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnfitJob, isQueueName, queueNames, readJob, subjectOf, writeJob } from '../../services/events/queues.ts';

const byteStrings = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1'));

test('a job read is the job written, whatever bytes are in the name', () => {
  fc.assert(
    fc.property(byteStrings, (name) => {
      const { data, subject } = writeJob('reconcile', { name });
      const stored: unknown = JSON.parse(JSON.stringify(data));
      assert.deepEqual(readJob('reconcile', stored), { name });
      assert.equal(subjectOf('reconcile', stored), name);
      assert.match(subject, /^[\w-]*$/);
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

test('a job of another version, or with a payload that is none, is refused with the reason', () => {
  for (const [data, reason] of [
    [{ v: 2, name: 'dXNlcg' }, /in version 2: this program knows version 1/],
    [{ name: 'dXNlcg' }, /it has no version/],
    [{ v: 'one', name: 'dXNlcg' }, /it has no version/],
    [null, /it has no version/],
    [{ v: 1 }, /not a job of reconcile: name: /],
    [{ v: 1, name: 'user.jdoe!' }, /name: /],
    [{ v: 1, name: 'dXNlcg', delete: true }, /delete/],
  ] as const) {
    assert.throws(
      () => readJob('reconcile', data),
      (error) => error instanceof UnfitJob && reason.test(error.message),
    );
    assert.equal(subjectOf('reconcile', data), undefined);
  }
});

test('what is no byte string is not written', () => {
  assert.throws(() => writeJob('reconcile', { name: 'ж' }));
});

test('queues are known by name', () => {
  assert.ok(queueNames.every(isQueueName));
  assert.ok(!isQueueName('toString'));
});
