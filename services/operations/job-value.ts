// A job of the queues as it is told to programs.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { jobStates } from '../events/backlog.ts';
import type { JobView, WholeJob } from '../events/backlog.ts';
import { failureKinds } from '../events/failure.ts';
import { time, timeText } from './time-text.ts';

export const jobValue = z
  .object({
    id: z.string(),
    state: z.enum(jobStates),
    about: z.string().meta({ description: 'What it is to be looked at; ? where the job cannot be read.' }),
    attempts: z.int().meta({ description: 'Attempts that went wrong, or the one that went well.' }),
    since: time.meta({ description: 'When it came in, ISO 8601 in UTC.' }),
    finished: time.optional().meta({ description: 'When it was done or given up; left out for others.' }),
    kind: z.enum(failureKinds).optional().meta({ description: 'Of a failed job, why it was given up.' }),
    reason: z.string().optional().meta({ description: 'Why it failed last, or what was found.' }),
    worker: z.string().optional().meta({ description: 'Who has worked on it last.' }),
  })
  .meta({ id: 'Job' });

export const wholeJobValue = jobValue
  .extend({
    failures: z
      .object({ kind: z.enum(failureKinds), counts: z.partialRecord(z.enum(failureKinds), z.int()), first: time })
      .optional()
      .meta({
        description: 'The kind of the last failure, how many there were of each kind, and when the first one was.',
      }),
    traceparent: z.string().optional().meta({ description: 'The trace that it belongs to, as W3C writes it.' }),
    progress: z.unknown().optional().meta({ description: 'What its processor has told last of how far it is.' }),
    data: z.unknown().meta({ description: 'The job as it lies in Redis.' }),
    log: z.array(z.string()).meta({ description: 'The newest lines of its log, the oldest first.' }),
  })
  .meta({ id: 'WholeJob', description: 'All that is known of a job.' });

export type JobValue = z.output<typeof jobValue>;
export type WholeJobValue = z.output<typeof wholeJobValue>;

/** What a job is about; one that cannot be read says so in its reason. */
function aboutText({ subject }: JobView): string {
  return subject === undefined ? '?' : readable(subject);
}

export function jobValueOf(job: JobView): JobValue {
  const { id, state, attempts, finished, kind, reason, worker } = job;
  return {
    ...{ id, state, about: aboutText(job), attempts, since: timeText(job.since) },
    ...(finished !== undefined && { finished: timeText(finished) }),
    ...(kind !== undefined && { kind }),
    ...(reason !== undefined && { reason }),
    ...(worker !== undefined && { worker }),
  };
}

export function wholeJobValueOf(job: WholeJob): WholeJobValue {
  const { failures, traceparent, progress, data, log } = job;
  return {
    ...jobValueOf(job),
    ...(failures && { failures: { ...failures, first: timeText(failures.first) } }),
    ...(traceparent !== undefined && { traceparent }),
    ...(progress !== undefined && { progress }),
    ...{ data, log },
  };
}
