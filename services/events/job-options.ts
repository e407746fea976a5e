// How BullMQ is to treat a job: its producer says what only it can say, and its worker decides on each attempt.
import { UnrecoverableError } from 'bullmq';
import type { Job } from 'bullmq';

/** For a job that is about `subject`: one waits at most, and one more while one is being looked at. */
export function jobOptions(subject?: string): object {
  return {
    // Stacks are long, and the log has them.
    stackTraceLimit: 1,
    ...(subject !== undefined && { deduplication: { id: subject, keepLastIfActive: true } }),
  };
}

/**
 * What a worker is to throw to BullMQ when a job has failed: with a pause in milliseconds it is tried again after that,
 * without one it is given up. BullMQ goes by the job's options, which may be a stranger's or of another version: what
 * was decided takes their place, for this attempt.
 */
export function thrownFor(job: Job, message: string, pause: number | undefined): Error {
  if (pause === undefined) return new UnrecoverableError(message);
  Object.assign(job.opts, { attempts: job.attemptsMade + 2, backoff: { type: 'fixed', delay: pause } });
  return new Error(message);
}
