// Outcomes that wait to be told: in their order, each once, soon, and at once when the process ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutcomeQueue } from '../../services/logging/outcome-queue.ts';
import type { Outcome } from '../../services/logging/outcome.ts';

const outcome = (transaction: string) => ({ transaction }) as Outcome;

test('outcomes are told together after a moment, in their order', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const queue = new OutcomeQueue(({ transaction }) => told.push(transaction));
  queue.add(outcome('a'));
  queue.add(outcome('b'));
  assert.deepEqual(told, []);
  t.mock.timers.tick(20);
  assert.deepEqual(told, ['a', 'b']);
  queue.add(outcome('c'));
  t.mock.timers.tick(20);
  assert.deepEqual(told, ['a', 'b', 'c']);
});

test('what waits is told at once when that is asked for, and not again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const queue = new OutcomeQueue(({ transaction }) => told.push(transaction));
  queue.add(outcome('a'));
  queue.flush();
  assert.deepEqual(told, ['a']);
  t.mock.timers.tick(20);
  assert.deepEqual(told, ['a']);
});
