// What an operator asks of the queues of events: what waits, what went wrong; and to try that again, or to let it go.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { jobStates } from '../events/backlog.ts';
import type { Backlog, JobState, JobView } from '../events/backlog.ts';
import { queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import { Refusal } from './refusal.ts';
import { time, timeText } from './time-text.ts';

export const queueValue = z
  .object({
    queue: z.enum(queueNames),
    jobs: z.record(z.enum(jobStates), z.int()).meta({ description: 'How many jobs there are in each state.' }),
    oldest_age_seconds: z.int().meta({ description: 'How long the job that is next in line has waited.' }),
  })
  .meta({ id: 'Queue' });

export const jobValue = z
  .object({
    id: z.string(),
    state: z.enum(jobStates),
    about: z.string().meta({ description: 'What it is to be looked at; ? where the job cannot be read.' }),
    attempts: z.int().meta({ description: 'Attempts that went wrong, or the one that went well.' }),
    since: time.meta({ description: 'When it came in, ISO 8601 in UTC.' }),
    reason: z.string().optional().meta({ description: 'Why it failed last, or what was found.' }),
  })
  .meta({ id: 'Job' });

export const queuesAnswer = z.object({ queues: z.array(queueValue) });
export const jobsAnswer = z.object({ jobs: z.array(jobValue) });
export const retriedAnswer = z.object({ retried: z.int().meta({ description: 'How many jobs are tried again.' }) });

export type QueueValue = z.output<typeof queueValue>;
export type JobValue = z.output<typeof jobValue>;

export interface JobQuery {
  /** All, where it is left out. */
  state?: JobState | undefined;
  limit: number;
}

/** All reject with a Refusal. */
export interface QueueOperations {
  list(): Promise<QueueValue[]>;
  /** The newest first. */
  jobs(queue: QueueName, query: JobQuery): Promise<JobValue[]>;
  /** Refused as missing where there is none. */
  job(queue: QueueName, id: string): Promise<JobValue>;
  /**
   * Has failed jobs tried again with all their attempts, all of them or the one with this id; gives their number. Refused
   * as missing where no failed job has the id.
   */
  retry(queue: QueueName, id?: string): Promise<number>;
  /** Takes a job away that nobody works on. Refused as missing where there is none, as unsafe while it is worked on. */
  discard(queue: QueueName, id: string): Promise<JobValue>;
}

export type OperatorsBacklog = Pick<Backlog, 'counts' | 'oldestAge' | 'jobs' | 'job' | 'retry' | 'discard'>;

export function queueOperations(backlog: OperatorsBacklog): QueueOperations {
  const job = async (queue: QueueName, id: string) => {
    const found = await backlog.job(queue, id);
    if (found) return jobValueOf(found);
    throw new Refusal('missing', `${queue} has no job ${id}`);
  };
  return {
    job,
    list: () =>
      Promise.all(
        queueNames.map(async (queue) => ({
          ...{ queue, jobs: await backlog.counts(queue) },
          oldest_age_seconds: Math.round(await backlog.oldestAge(queue)),
        })),
      ),
    async jobs(queue, { state, limit }) {
      const states = state === undefined ? jobStates : [state];
      return (await backlog.jobs(queue, states, limit)).map(jobValueOf);
    },
    async retry(queue, id) {
      const retried = await backlog.retry(queue, id);
      if (id !== undefined && retried === 0) throw new Refusal('missing', `${queue} has no failed job ${id}`);
      return retried;
    },
    async discard(queue, id) {
      const found = await job(queue, id);
      if (await backlog.discard(queue, id)) return found;
      throw new Refusal('unsafe', `job ${id} of ${queue} is worked on now: it can be discarded when that has ended`);
    },
  };
}

/** What a job is about; one that cannot be read says so in its reason. */
function aboutText({ subject }: JobView): string {
  return subject === undefined ? '?' : readable(subject);
}

function jobValueOf(job: JobView): JobValue {
  const { id, state, attempts, reason } = job;
  return {
    ...{ id, state, about: aboutText(job), attempts, since: timeText(job.since) },
    ...(reason !== undefined && { reason }),
  };
}
