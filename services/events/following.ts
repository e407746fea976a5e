// Waits for what becomes of a ring: of the job that it brought, or fell in with, and of the one that follows that.
import { setTimeout as pause } from 'node:timers/promises';
import type { Backlog, JobView } from './backlog.ts';
import { formOf } from './queues.ts';
import type { Payload, QueueName } from './queues.ts';

/** How often it is looked, in milliseconds. */
const lookEvery = 100;

/** Among how many of the newest jobs that are over it is looked for. */
const looked = 1_000;

/**
 * To be called when the ring is with Redis. Gives the last job about this, once there is none to come, or the one that there
 * is after so many milliseconds; undefined when it is not kept any more.
 */
export async function followed<Q extends QueueName>(
  backlog: Pick<Backlog, 'current' | 'job' | 'jobs'>,
  { queue, payload }: { queue: Q; payload: Payload<Q> },
  within: number,
): Promise<JobView | undefined> {
  const until = Date.now() + within;
  for (;;) {
    const id = await backlog.current(queue, payload);
    if (id === undefined) break;
    if (Date.now() >= until) return backlog.job(queue, id);
    await pause(lookEvery);
  }
  // What is over may have been followed by another one since the last look.
  const over = await backlog.jobs(queue, ['completed', 'failed'], looked);
  const about = formOf(queue).subject(payload);
  return over.filter(({ subject }) => subject === about).sort((a, b) => Number(b.id) - Number(a.id))[0];
}
