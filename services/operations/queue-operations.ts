// What an operator asks of the queues of events: what waits, what was given up; and to try that again, or to let it go.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { bytesFromText } from '../directory/entry.ts';
import { jobStates } from '../events/backlog.ts';
import type { Backlog, JobState, JobView } from '../events/backlog.ts';
import type { DeadLetterFilter, DeadLetters } from '../events/dead-letters.ts';
import type { FailureKind } from '../events/failure.ts';
import { queueName, queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import { jobValue, jobValueOf, wholeJobValueOf } from './job-value.ts';
import type { JobValue, WholeJobValue } from './job-value.ts';
import { Refusal } from './refusal.ts';

export const queueValue = z
  .object({
    queue: queueName,
    jobs: z.record(z.enum(jobStates), z.int()).meta({ description: 'How many jobs there are in each state.' }),
    oldest_age_seconds: z.int().meta({ description: 'How long the job that is next in line has waited.' }),
  })
  .meta({ id: 'Queue' });

export const queuesAnswer = z.object({ queues: z.array(queueValue) });
export const jobsAnswer = z.object({ jobs: z.array(jobValue) });

export type QueueValue = z.output<typeof queueValue>;

export interface JobQuery {
  /** All, where it is left out. */
  state?: JobState | undefined;
  limit: number;
}

/** Which failed jobs are meant: those for which all holds that is said here. */
export interface DeadLetterChoice {
  id?: string | undefined;
  /** What they were given up for. */
  kind?: FailureKind | undefined;
  /** What they are about, with the wildcards of IMAP's LIST. */
  about?: Bytes | undefined;
  /** Given up before this, in milliseconds since 1970. */
  before?: number | undefined;
  /** Nothing is done. */
  dryRun: boolean;
}

/** All reject with a Refusal. */
export interface QueueOperations {
  list(): Promise<QueueValue[]>;
  /** The newest first. */
  jobs(queue: QueueName, query: JobQuery): Promise<JobValue[]>;
  /** Refused as missing where there is none. */
  job(queue: QueueName, id: string): Promise<WholeJobValue>;
  /**
   * Has failed jobs tried again with all their attempts; gives them as they were. Refused as missing where an id is
   * named that no such job has.
   */
  retry(queue: QueueName, choice: DeadLetterChoice): Promise<JobValue[]>;
  /** Removes failed jobs, and gives them. Refused as missing as above, as usage where neither some are chosen nor `all`. */
  discard(queue: QueueName, choice: DeadLetterChoice & { all: boolean }): Promise<JobValue[]>;
}

export interface OperatorsQueues {
  /** Every queue that there is; left out: those that every installation has. */
  names?: readonly QueueName[];
  backlog: Pick<Backlog, 'counts' | 'oldestAge' | 'jobs' | 'job'>;
  deadLetters: Pick<DeadLetters, 'find' | 'retry' | 'discard'>;
}

export function queueOperations({ names = queueNames, backlog, deadLetters }: OperatorsQueues): QueueOperations {
  const find = (queue: QueueName, filter: DeadLetterFilter) => deadLetters.find(queue, filter);
  const known = (queue: QueueName) => {
    if (!names.includes(queue)) throw new Refusal('data', `there is no queue ${queue}: there are ${names.join(', ')}`);
  };
  return {
    list: () =>
      Promise.all(
        names.map(async (queue) => ({
          ...{ queue, jobs: await backlog.counts(queue) },
          oldest_age_seconds: Math.round(await backlog.oldestAge(queue)),
        })),
      ),
    async jobs(queue, { state, limit }) {
      known(queue);
      const states = state === undefined ? jobStates : [state];
      return (await backlog.jobs(queue, states, limit)).map(jobValueOf);
    },
    async job(queue, id) {
      known(queue);
      const found = await backlog.job(queue, id);
      if (found) return wholeJobValueOf(found);
      throw new Refusal('missing', `${queue} has no job ${shown(id)}`);
    },
    async retry(queue, choice) {
      known(queue);
      const treat = choice.dryRun ? find : (...given: Parameters<typeof find>) => deadLetters.retry(...given);
      return chosen(queue, choice, await treat(queue, filterOf(choice)));
    },
    async discard(queue, choice) {
      known(queue);
      if (!choice.all && !chooses(choice)) {
        const how = '--id, --kind, --about, --older-than, or --all; in the API id, kind, about, before or all';
        throw new Refusal('usage', `say which ones: ${how}`);
      }
      const treat = choice.dryRun ? find : (...given: Parameters<typeof find>) => deadLetters.discard(...given);
      return chosen(queue, choice, await treat(queue, filterOf(choice)));
    },
  };
}

function filterOf({ id, kind, about, before }: DeadLetterChoice): DeadLetterFilter {
  return { id, kind, before, about: about === undefined ? undefined : mailboxPattern(about) };
}

function chooses({ id, kind, about, before }: DeadLetterChoice): boolean {
  return [id, kind, about, before].some((one) => one !== undefined);
}

function chosen(queue: QueueName, { id, ...others }: DeadLetterChoice, jobs: readonly JobView[]): JobValue[] {
  if (id === undefined || jobs.length > 0) return jobs.map(jobValueOf);
  throw new Refusal(
    'missing',
    `${queue} has no failed job ${shown(id)}${chooses(others) ? ' for which all of this holds' : ''}`,
  );
}

function shown(id: string): string {
  return readable(bytesFromText(id));
}
