// Jobs that were given up: found by what they are about and why, tried again, or discarded.
import type { Job, Queue } from 'bullmq';
import { jobView } from './backlog.ts';
import type { JobView } from './backlog.ts';
import { withFailures } from './envelope.ts';
import { fits } from './job-filter.ts';
import type { JobFilter } from './job-filter.ts';
import { jobOptions } from './job-options.ts';
import type { QueueName } from './queues.ts';
import type { QueueSet } from './queue-set.ts';

/** How many are read in one go. */
const pageSize = 500;

export class DeadLetters {
  readonly #queues: QueueSet;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  /** Those that fit the filter, the latest first. */
  async find(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return (await this.#fitting(queue, filter)).map(({ view }) => view);
  }

  /**
   * Has those that fit the filter tried again, with all their attempts; gives them. Each is rung anew and the old one
   * removed, so that still at most one job about the same is worked on at a time. In this order: what ends us in between
   * leaves both, never none.
   */
  async retry(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return this.#each(queue, filter, async (handle, job) => {
      const options = {
        ...jobOptions(job.opts.deduplication?.id),
        ...(job.priority > 0 && { priority: job.priority }),
      };
      await handle.add(job.name, anew(job.data), options);
      await job.remove();
    });
  }

  /** Removes those that fit the filter, and gives them. */
  async discard(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return this.#each(queue, filter, (_, job) => job.remove());
  }

  async #each(
    queue: QueueName,
    filter: JobFilter,
    treat: (handle: Queue, job: Job) => Promise<void>,
  ): Promise<JobView[]> {
    const found = await this.#fitting(queue, filter);
    for (const { job } of found) await treat(this.#queues.queue(queue), job);
    return found.map(({ view }) => view);
  }

  async #fitting(queue: QueueName, filter: JobFilter): Promise<{ job: Job; view: JobView }[]> {
    const handle = this.#queues.queue(queue);
    const found = new Map<string, { job: Job; view: JobView }>();
    for (let first = 0; ; first += pageSize) {
      const page = (await handle.getJobs('failed', first, first + pageSize - 1)) as (Job | undefined)[];
      if (page.length === 0) return [...found.values()];
      for (const job of page) {
        // One that is removed meanwhile has no data any more; one may be on two pages when others are added.
        if (job?.id === undefined) continue;
        const view = jobView(queue, 'failed', job);
        if (fits(view, filter)) found.set(job.id, { job, view });
      }
    }
  }
}

/** A job without its failures; what is no object stays what it is. */
function anew(data: unknown): unknown {
  return typeof data === 'object' && data !== null && 'failures' in data ? withFailures(data, undefined) : data;
}
