// Reads from Redis what a queue asks of workers: a few questions that cost next to nothing, so that it can be done each second.
import type { Job } from 'bullmq';
import type { QueueDemand } from './demand.ts';
import type { QueueSet } from './queue-set.ts';
import { isTreeQueue } from './queues.ts';
import type { QueueName } from './queues.ts';
import { TreeLists } from './tree-lists.ts';

/** The demand of a queue now. Throws EventsAway while Redis is away. */
export async function readDemand(queues: QueueSet, name: QueueName): Promise<QueueDemand> {
  const queue = queues.queue(name);
  const now = Date.now();
  const [trees, counts, due, paused, ...heads] = await Promise.all([
    isTreeQueue(name) ? new TreeLists(queues, name).overdue(0) : undefined,
    queue.getJobCounts('waiting', 'prioritized', 'active'),
    queue.getDelayedCount(now),
    queue.isPaused(),
    // Of jobs with priorities the next one stands for all: which is the oldest can't be asked.
    ...(['waiting', 'prioritized', 'delayed'] as const).map((state) => queue.getJobs(state, 0, 0, true)),
  ]);
  const next = (heads as (Job | undefined)[][]).flat().filter((job) => job !== undefined);
  const { waiting = 0, prioritized = 0, active = 0 } = counts;
  return {
    // One bell is for many trees, and it is they that workers are needed for.
    waiting: Math.max(waiting, trees?.count ?? 0),
    ...{ prioritized, due, active, paused },
    oldestAge: Math.max(0, trees?.longest ?? 0, ...next.map((job) => now - takeableSince(job))),
  };
}

/**
 * Since when a worker could have taken a job, in milliseconds since 1970; in the future for one that is delayed. Of a job
 * that is tried again it is known only when it was tried last, and how long its pause is while it lasts.
 */
function takeableSince({ timestamp, processedOn, delay, opts }: Job): number {
  return processedOn === undefined ? timestamp + (opts.delay ?? 0) : processedOn + delay;
}
