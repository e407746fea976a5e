// A backend says that it does not know a mailbox: the name becomes a case and is rung for, once, and nobody waits for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasons } from '../../services/directory/case.ts';
import { contradictionsOf } from '../../services/process/contradictions.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { until } from '../harness/until.ts';

function stage(suspect: (...words: string[]) => Promise<void>) {
  const told = { rung: [] as object[], counted: [] as string[], errors: 0 };
  const start = {
    directory: { suspect },
    events: () =>
      Promise.resolve({ producer: { ring: (queue: string, data: object) => told.rung.push({ queue, ...data }) } }),
    log: { ...quietLog, error: () => (told.errors += 1) },
    metrics: { count: (name: string, server: string) => told.counted.push(`${name} ${server}`) },
    node: 'frontend1',
  };
  return { told, contradicted: contradictionsOf(start as unknown as Parameters<typeof contradictionsOf>[0]) };
}

test('the first time a case is opened and rung for; soon after it is only counted', async () => {
  const opened: string[][] = [];
  const { told, contradicted } = stage((...words) => {
    opened.push(words);
    return Promise.resolve();
  });
  for (let count = 0; count < 3; count++) contradicted('user.ann', 'mail1');
  contradicted('user.bob', 'mail1');
  await until('both are rung for', () => told.rung.length === 2);
  assert.deepEqual(opened, [
    ['user.ann', reasons.unknownThere, 'frontend1-lmtp'],
    ['user.bob', reasons.unknownThere, 'frontend1-lmtp'],
  ]);
  assert.deepEqual(told.rung, [
    { queue: 'reconcile', name: 'user.ann' },
    { queue: 'reconcile', name: 'user.bob' },
  ]);
  assert.deepEqual(
    told.counted,
    Array.from({ length: 4 }, () => 'rookery_lmtp_contradictions_total mail1'),
  );
});

test('a directory that is away costs the delivery nothing', async () => {
  const { told, contradicted } = stage(() => Promise.reject(new Error('Redis is away')));
  contradicted('user.ann', 'mail1');
  await until('it is in the log', () => told.errors === 1);
  assert.deepEqual(told.rung, []);
});
