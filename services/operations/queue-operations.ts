// What an operator asks of the queues of events: what waits, what was given up; and to try that again, or to let it go.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Backlog, JobState, JobView } from '../events/backlog.ts';
import { jobStates, newest } from '../events/backlog.ts';
import type { DeadLetters } from '../events/dead-letters.ts';
import type { FailureKind } from '../events/failure.ts';
import type { JobFilter } from '../events/job-filter.ts';
import { queueName, queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import type { SetAside } from '../events/set-aside.ts';
import type { WaitingJobs } from '../events/waiting-jobs.ts';
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

/** Which jobs are meant: those for which all holds that is said here. */
export interface JobChoice {
  id?: string | undefined;
  /** What they were given up for; of those that wait, what they failed for last. */
  kind?: FailureKind | undefined;
  /** What they are about, with the wildcards of IMAP's LIST. */
  about?: Bytes | undefined;
  /** Given up before this, in milliseconds since 1970; of those that wait, come in before this. */
  before?: number | undefined;
  /** Nothing is done. */
  dryRun: boolean;
}

export interface Discarding extends JobChoice {
  /** Whichever they are. */
  all: boolean;
  /** Not those that were given up, but those that wait, in line or put off. */
  waiting: boolean;
}

/**
 * What was given up are failed jobs, and in queues of trees also events that were set aside: they have ids of their own,
 * and all else in common. All reject with a Refusal.
 */
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
  retry(queue: QueueName, choice: JobChoice): Promise<JobValue[]>;
  /**
   * Removes jobs, and gives them. Refused as missing as above, as usage where neither some are chosen nor `all`, as unsafe
   * where an id is named that is being worked on.
   */
  discard(queue: QueueName, choice: Discarding): Promise<JobValue[]>;
}

export interface OperatorsQueues {
  /** Every queue that there is; left out: those that every installation has. */
  names?: readonly QueueName[];
  backlog: Pick<Backlog, 'counts' | 'oldestAge' | 'jobs' | 'job'>;
  deadLetters: Pick<DeadLetters, 'find' | 'retry' | 'discard'>;
  setAside: Pick<SetAside, 'count' | 'find' | 'event' | 'retry' | 'discard'>;
  waiting: Pick<WaitingJobs, 'find' | 'discard'>;
}

export function queueOperations(queues: OperatorsQueues): QueueOperations {
  const { names = queueNames, backlog, setAside, waiting } = queues;
  const known = (queue: QueueName) => {
    if (!names.includes(queue)) throw new Refusal('data', `there is no queue ${queue}: there are ${names.join(', ')}`);
  };
  const { jobs, job } = reading(queues);
  const givenUp = givenUpIn(queues);
  /** What became of the choice. An id that was chosen in vain is told where it is instead. */
  const told = async (queue: QueueName, choice: JobChoice, wanted: string, found: readonly JobView[]) => {
    if (choice.id === undefined || found.length > 0) return found.map(jobValueOf);
    const there = await backlog.job(queue, choice.id);
    throw notFound(queue, { ...choice, id: choice.id }, wanted, there?.state);
  };
  return {
    list: () =>
      Promise.all(
        names.map(async (queue) => {
          const [counts, aside] = await Promise.all([backlog.counts(queue), setAside.count(queue)]);
          return {
            ...{ queue, jobs: { ...counts, failed: counts.failed + aside } },
            oldest_age_seconds: Math.round(await backlog.oldestAge(queue)),
          };
        }),
      ),
    async jobs(queue, query) {
      known(queue);
      return jobs(queue, query);
    },
    async job(queue, id) {
      known(queue);
      return job(queue, id);
    },
    async retry(queue, choice) {
      known(queue);
      return told(queue, choice, 'failed', await givenUp[choice.dryRun ? 'find' : 'retry'](queue, filterOf(choice)));
    },
    async discard(queue, choice) {
      known(queue);
      if (!choice.all && !chooses(choice)) {
        const how = '--id, --kind, --about, --older-than, or --all; in the API id, kind, about, before or all';
        throw new Refusal('usage', `say which ones: ${how}`);
      }
      const from = choice.waiting ? waiting : givenUp;
      const found = await from[choice.dryRun ? 'find' : 'discard'](queue, filterOf(choice));
      const where = choice.id === undefined || found.length > 0 ? undefined : await backlog.job(queue, choice.id);
      if (where?.state === 'active') throw beingWorkedOn(queue, where);
      return told(queue, choice, choice.waiting ? 'waiting' : 'failed', found);
    },
  };
}

function reading({ backlog, setAside }: OperatorsQueues): Pick<QueueOperations, 'jobs' | 'job'> {
  return {
    async jobs(queue, { state, limit }) {
      const states = state === undefined ? jobStates : [state];
      const [found, aside] = await Promise.all([
        backlog.jobs(queue, states, limit),
        states.includes('failed') ? setAside.find(queue, {}) : [],
      ]);
      return newest([...found, ...aside], limit).map(jobValueOf);
    },
    async job(queue, id) {
      const found = (await setAside.event(queue, id)) ?? (await backlog.job(queue, id));
      if (found) return wholeJobValueOf(found);
      throw new Refusal('missing', `${queue} has no job ${shown(id)}`);
    },
  };
}

type Treating = (queue: QueueName, filter: JobFilter) => Promise<JobView[]>;

/** Failed jobs and events that were set aside, as one. */
function givenUpIn({ deadLetters, setAside }: OperatorsQueues): Record<'find' | 'retry' | 'discard', Treating> {
  const both =
    (how: 'find' | 'retry' | 'discard'): Treating =>
    async (queue, filter) => [...(await deadLetters[how](queue, filter)), ...(await setAside[how](queue, filter))];
  return { find: both('find'), retry: both('retry'), discard: both('discard') };
}

function filterOf({ id, kind, about, before }: JobChoice): JobFilter {
  return { id, kind, before, about: about === undefined ? undefined : mailboxPattern(about) };
}

function chooses({ id, kind, about, before }: JobChoice): boolean {
  return [id, kind, about, before].some((one) => one !== undefined);
}

function notFound(
  queue: QueueName,
  { id, ...others }: JobChoice & { id: string },
  wanted: string,
  state: JobState | undefined,
): Refusal {
  const what = `${queue} has no ${wanted} job ${shown(id)}`;
  if (chooses(others)) return new Refusal('missing', `${what} for which all of this holds`);
  if (state === undefined) return new Refusal('missing', what);
  const waits = wanted === 'failed' && (state === 'waiting' || state === 'delayed');
  const hint = waits ? '; what waits is discarded with --waiting, in the API waiting: true' : '';
  return new Refusal('missing', `${what}: it is ${state}${hint}`);
}

function beingWorkedOn(queue: QueueName, { id, worker }: JobView): Refusal {
  const by = worker === undefined ? '' : ` by ${shown(worker)}`;
  const why = 'it can be discarded when it waits for another attempt, or has been given up';
  return new Refusal('unsafe', `job ${shown(id)} of ${queue} is being worked on${by}: ${why}`);
}

function shown(id: string): string {
  return readable(bytesFromText(id));
}
