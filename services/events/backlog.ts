// What waits in the queues, and what is known of each job: for metrics, for whoever scales, and for operators.
import type { Job, Queue } from 'bullmq';
import { kindOfDead } from './dead-letter.ts';
import { envelopeOf, subjectOf, writeJob } from './envelope.ts';
import type { FailureKind, Failures } from './failure.ts';
import type { Payload, QueueName } from './queues.ts';
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
  /** When it was done or given up; undefined for others. */
  finished: number | undefined;
  /** Of a dead letter, why it was given up. */
  kind: FailureKind | undefined;
  /** Why it failed last, or what was found. */
  reason: string | undefined;
  /** Who has worked on it last. */
  worker: string | undefined;
}

/** All that is known of one job. */
export interface WholeJob extends JobView {
  failures: Failures | undefined;
  traceparent: string | undefined;
  /** What its processor has told last of how far it is. */
  progress: unknown;
  /** The job as it lies in Redis. */
  data: unknown;
  /** The newest lines of its log, oldest first. */
  log: string[];
}

/** What a queue holds for workers to do now, and what they do. */
export interface Depth {
  /** In line; 0 in a paused queue, which gives its workers nothing. */
  waiting: number;
  /** Put off until now or before. */
  due: number;
  active: number;
}

export class Backlog {
  readonly #queues: QueueSet;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  /** How many jobs there are in each state; those with a priority are in line like all others. */
  async counts(queue: QueueName): Promise<Record<JobState, number>> {
    const counts = await this.#queues.queue(queue).getJobCounts(...jobStates, 'prioritized');
    const { prioritized = 0, ...others } = counts;
    const all: Record<string, number> = { ...others, waiting: (others['waiting'] ?? 0) + prioritized };
    return Object.fromEntries(jobStates.map((state) => [state, all[state] ?? 0])) as Record<JobState, number>;
  }

  /** How much there is to do now. */
  async depth(queue: QueueName): Promise<Depth> {
    const handle = this.#queues.queue(queue);
    const [counts, due, paused] = await Promise.all([
      handle.getJobCounts('waiting', 'prioritized', 'active'),
      // Counts what is put off until before this moment.
      handle.getDelayedCount(Date.now() + 1),
      handle.isPaused(),
    ]);
    const { waiting = 0, prioritized = 0, active = 0 } = counts;
    return { waiting: paused ? 0 : waiting + prioritized, due: paused ? 0 : due, active };
  }

  /** How long the job that is next in line has been there, in seconds; 0 when none waits. */
  async oldestAge(queue: QueueName): Promise<number> {
    const [next] = await this.#queues.queue(queue).getJobs('waiting', 0, 0, true);
    return next ? Math.max(0, Date.now() - next.timestamp) / 1000 : 0;
  }

  /** The id of the job about this that waits or is worked on; undefined when there is none. */
  async current<Q extends QueueName>(queue: Q, payload: Payload<Q>): Promise<string | undefined> {
    const { subject } = writeJob(queue, payload);
    return (await this.#queues.queue(queue).getDeduplicationJobId(subject)) ?? undefined;
  }

  /** The newest jobs in these states, newest first. */
  async jobs(queue: QueueName, states: readonly JobState[], limit: number): Promise<JobView[]> {
    const handle = this.#queues.queue(queue);
    const lists = await Promise.all(
      states.map(async (state) => (await jobsIn(handle, state, limit)).map((job) => jobView(queue, state, job))),
    );
    return newest(lists.flat(), limit);
  }

  /** One job with all that is known of it; undefined when there is none of this id, or no more. */
  async job(queue: QueueName, id: string): Promise<WholeJob | undefined> {
    const handle = this.#queues.queue(queue);
    // BullMQ keeps other things under such names, too (`stalled-check`, `5:logs`): only what is in a state is a job.
    const found = await handle.getJobState(id);
    if (found === 'unknown') return undefined;
    const [job, { logs }] = await Promise.all([handle.getJob(id), handle.getJobLogs(id, 0, -1)]);
    if (!job) return undefined;
    const state = jobStates.find((one) => one === found) ?? 'waiting';
    const { failures, traceparent } = envelopeOf(job.data);
    const progress = job.progress === 0 ? undefined : job.progress;
    return { ...jobView(queue, state, job), failures, traceparent, progress, data: job.data, log: logs };
  }
}

/** The newest `limit` of these, the newest first. */
export function newest(jobs: readonly JobView[], limit: number): JobView[] {
  return [...jobs].sort((a, b) => b.since - a.since || Number(b.id) - Number(a.id) || 0).slice(0, limit);
}

/** The newest `limit` jobs of a state, or some more. One that is removed meanwhile has no data any more. */
async function jobsIn(queue: Queue, state: JobState, limit: number): Promise<Job[]> {
  const places = state === 'waiting' ? (['waiting', 'prioritized'] as const) : [state];
  const jobs = await Promise.all(places.map((place) => queue.getJobs(place, 0, limit - 1)));
  return (jobs.flat() as (Job | undefined)[]).filter((job) => job !== undefined);
}

export function jobView(queue: QueueName, state: JobState, job: Job): JobView {
  // BullMQ's types promise a reason for each job.
  const failedReason = job.failedReason as string | undefined;
  const note = (job.returnvalue as { note?: string } | null | undefined)?.note;
  return {
    id: job.id ?? '',
    ...{ state, subject: subjectOf(queue, job.data), attempts: job.attemptsMade, since: job.timestamp },
    finished: job.finishedOn,
    kind: state === 'failed' ? kindOfDead(job) : undefined,
    reason: state === 'completed' ? note : failedReason,
    worker: job.processedBy,
  };
}
