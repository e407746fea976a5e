// Waits for what becomes of a ring: of the job that it brought, or fell in with, and of the one that follows that.
import { setTimeout as pause } from 'node:timers/promises';
import type { Backlog, JobView } from './backlog.ts';
import type { Payload, QueueName } from './queues.ts';

/** How often it is looked, in milliseconds. */
const lookEvery = 100;

/**
 * To be called when the ring is with Redis. Gives the last job about this that there was, once there is none to come, or as
 * it is after so many milliseconds; undefined when none was seen.
 */
export async function followed<Q extends QueueName>(
  backlog: Pick<Backlog, 'current' | 'job'>,
  { queue, payload }: { queue: Q; payload: Payload<Q> },
  within: number,
): Promise<JobView | undefined> {
  const until = Date.now() + within;
  let last: string | undefined;
  for (;;) {
    const id = await backlog.current(queue, payload);
    last = id ?? last;
    if (id === undefined || Date.now() >= until) break;
    await pause(lookEvery);
  }
  return last === undefined ? undefined : backlog.job(queue, last);
}
