// What waits in the queues, what went wrong in them, and how that is tried again: for metrics and for operators.
import type { Job, Queue } from 'bullmq';
import { subjectOf } from './queues.ts';
import type { QueueName } from './queues.ts';
import type { QueueSet } from './queue-set.ts';

/** Where a job can be: in line, being worked on, put off, given up, done. */
export const jobStates = ['waiting', 'active', 'delayed', 'failed', 'completed'] as const;
export type JobState = (typeof jobStates)[number];

export interface JobView {
  id: string;
  state: JobState;
  /** What it is about, as bytes; undefined when it can't be read. */
  subject: string | undefined;
  /** Attempts that went wrong, or the one that went well. */
  attempts: number;
  /** When it came in, in milliseconds since 1970. */
  since: number;
  /** Why it failed last, or what was found. */
  reason: string | undefined;
}

export class Backlog {
  readonly #queues: QueueSet;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  /** How many jobs there are in each state. */
  async counts(queue: QueueName): Promise<Record<JobState, number>> {
    const counts = await this.#queues.queue(queue).getJobCounts(...jobStates);
    return Object.fromEntries(jobStates.map((state) => [state, counts[state] ?? 0])) as Record<JobState, number>;
  }

  /** How long the job that is next in line has been there, in seconds; 0 when none waits. */
  async oldestAge(queue: QueueName): Promise<number> {
    const [next] = await this.#queues.queue(queue).getJobs('waiting', 0, 0, true);
    return next ? Math.max(0, Date.now() - next.timestamp) / 1000 : 0;
  }

  /** The newest jobs in these states, newest first. */
  async jobs(queue: QueueName, states: readonly JobState[], limit: number): Promise<JobView[]> {
    const handle = this.#queues.queue(queue);
    const lists = await Promise.all(
      states.map(async (state) => (await jobsIn(handle, state, limit)).map((job) => jobView(queue, state, job))),
    );
    return lists
      .flat()
      .sort((a, b) => b.since - a.since || Number(b.id) - Number(a.id))
      .slice(0, limit);
  }

  /** One job; undefined when there is none with this id, or it is in none of the states. */
  async job(queue: QueueName, id: string): Promise<JobView | undefined> {
    // BullMQ's types do not say that there may be none.
    const job = (await this.#queues.queue(queue).getJob(id)) as Job | undefined;
    const state = await job?.getState();
    const known = jobStates.find((one) => one === state);
    return job && known && jobView(queue, known, job);
  }

  /** Takes a job away; false, and nothing done, while it is worked on. One that is gone already is no matter. */
  async discard(queue: QueueName, id: string): Promise<boolean> {
    const handle = this.#queues.queue(queue);
    return (await handle.remove(id)) === 1 || (await handle.getJobState(id)) === 'unknown';
  }

  /**
   * Has failed jobs tried again with all their attempts: all of them, or the one with this id. Gives their number. Each
   * is rung anew and the old one removed, so that still at most one job about the same is worked on at a time.
   */
  async retry(queue: QueueName, id?: string): Promise<number> {
    const handle = this.#queues.queue(queue);
    const failed = await jobsIn(handle, 'failed');
    const wanted = failed.filter((job) => id === undefined || job.id === id);
    for (const job of wanted) {
      const { attempts, backoff, deduplication, removeOnComplete, removeOnFail } = job.opts;
      await handle.add(job.name, job.data, {
        ...{ attempts, backoff, removeOnComplete, removeOnFail, stackTraceLimit: 1 },
        ...(deduplication && { deduplication }),
      } as object);
      await job.remove();
    }
    return wanted.length;
  }
}

/** The newest `limit` jobs of a state, or all. One that is removed meanwhile has no data any more. */
async function jobsIn(queue: Queue, state: JobState, limit?: number): Promise<Job[]> {
  const jobs = await queue.getJobs(state, 0, limit === undefined ? -1 : limit - 1);
  return (jobs as (Job | undefined)[]).filter((job) => job !== undefined);
}

function jobView(queue: QueueName, state: JobState, job: Job): JobView {
  // BullMQ's types promise a reason for each job.
  const failedReason = job.failedReason as string | undefined;
  const note = (job.returnvalue as { note?: string } | null | undefined)?.note;
  return {
    id: job.id ?? '',
    ...{ state, subject: subjectOf(queue, job.data), attempts: job.attemptsMade, since: job.timestamp },
    reason: state === 'completed' ? note : failedReason,
  };
}
