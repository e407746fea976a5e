// How BullMQ is to treat a job: what only the producer can say. How often it is tried and how long kept, its worker decides.
import { UnrecoverableError } from 'bullmq';

/** The name of the back-off that a worker's settings bring. */
const backoff = 'by kind of failure';

/** More than any kind of failure is tried: each attempt is decided on by the worker (retry.ts). */
const attempts = 1_000_000;

/** For a job that is about `subject`: one waits at most, and one more while one is being looked at. */
export function jobOptions(subject?: string): object {
  return {
    ...{ attempts, backoff: { type: backoff } },
    // Stacks are long, and the log has them.
    stackTraceLimit: 1,
    ...(subject !== undefined && { deduplication: { id: subject, keepLastIfActive: true } }),
  };
}

/** Thrown to BullMQ for a job that is to be tried again after a pause, in milliseconds. */
class AnotherAttempt extends Error {
  readonly pause: number;

  constructor(message: string, pause: number) {
    super(message);
    this.pause = pause;
  }
}

/** What a worker is to throw to BullMQ: `pause` in milliseconds, undefined for a job that is given up. */
export function thrownFor(message: string, pause: number | undefined): Error {
  return pause === undefined ? new UnrecoverableError(message) : new AnotherAttempt(message, pause);
}

/** The back-off of jobs with the options above, for the settings of their worker. Any other error is final. */
export function backoffStrategy(_attempts: number, _type?: string, error?: Error): number {
  return error instanceof AnotherAttempt ? error.pause : -1;
}
