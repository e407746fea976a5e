// Jobs that have failed for good, for tests of what becomes of them.
import type { TestContext } from 'node:test';
import { JobFailure } from '../../services/events/failure.ts';
import type { ErrorKind } from '../../services/events/failure.ts';
import { queuesFor, workOn } from './events.ts';
import { until } from './until.ts';

const onlyOnce = { attempts: 1, pause: 1, longest: 1 };

/** Of each of them. */
export const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** Queues in which these jobs have failed, each with the kind that its name ends with. */
export async function withDead(t: TestContext, socket: string, names: readonly string[]) {
  const opened = await queuesFor(t, socket);
  const { producer, backlog } = opened;
  const failing = workOn(
    socket,
    { moves: ({ name }) => Promise.reject(new JobFailure(name.split('-').at(-1) as ErrorKind, `no ${name}`)) },
    { retries: { away: onlyOnce, busy: onlyOnce, fault: onlyOnce, newer: { pause: 1, atMost: 1 } }, concurrency: 50 },
  );
  for (const name of names) producer.ring('moves', { name }, traceparent);
  await until('all have failed', async () => (await backlog.counts('moves')).failed === names.length, 30_000);
  await failing.stop();
  const subjects = async (state: 'failed' | 'waiting') =>
    (await backlog.jobs('moves', [state], 10_000)).map(({ subject }) => subject).sort();
  return { ...opened, subjects };
}
