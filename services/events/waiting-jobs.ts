// Jobs that nobody works on yet: found by what they are about, and discarded.
import type { Job } from 'bullmq';
import { jobView } from './backlog.ts';
import type { JobView } from './backlog.ts';
import { envelopeOf } from './envelope.ts';
import { fits } from './job-filter.ts';
import type { JobFilter } from './job-filter.ts';
import type { QueueName } from './queues.ts';
import type { QueueSet } from './queue-set.ts';

/** As BullMQ names the places where jobs wait, and what a job there is for an operator. */
const places = [
  ['waiting', 'waiting'],
  ['prioritized', 'waiting'],
  ['delayed', 'delayed'],
] as const;

/** How many are read in one go, and how many removed at once. */
const pageSize = 500;
const atOnce = 50;

export class WaitingJobs {
  readonly #queues: QueueSet;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  /** Those that fit the filter, of each place the newest first. */
  async find(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    const found = new Map<string, JobView>();
    for (const [place, state] of places) {
      // From the newest on: workers take them from the other end, and so none is passed over meanwhile.
      for (let first = 0; ; first += pageSize) {
        const jobs = await this.#queues.queue(queue).getJobs(place, first, first + pageSize - 1);
        if (jobs.length === 0) break;
        for (const job of jobs as (Job | undefined)[]) {
          if (job?.id === undefined) continue;
          const view = { ...jobView(queue, state, job), kind: envelopeOf(job.data).failures?.kind };
          if (fits(view, filter)) found.set(job.id, view);
        }
      }
    }
    return [...found.values()];
  }

  /** Removes those that fit the filter, and gives them. What a worker has taken meanwhile stays, and is not given. */
  async discard(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    const found = await this.find(queue, filter);
    const gone: JobView[] = [];
    for (let at = 0; at < found.length; at += atOnce) {
      const some = found.slice(at, at + atOnce);
      const removed = await Promise.all(some.map(({ id }) => this.#remove(queue, id)));
      gone.push(...some.filter((_, index) => removed[index]));
    }
    return gone;
  }

  /** A job whose worker has died has no lock, and is active still until it is found stalled: its state is asked, too. */
  async #remove(queue: QueueName, id: string): Promise<boolean> {
    const handle = this.#queues.queue(queue);
    const state = await handle.getJobState(id);
    if (!places.some(([place]) => place === state)) return false;
    return (await handle.remove(id)) === 1;
  }
}
