// A job that has been given up: why, and what is known of its end.
import type { Job } from 'bullmq';
import { UnfitJob, envelopeOf, readJob } from './envelope.ts';
import type { FailureKind } from './failure.ts';
import type { QueueName } from './queues.ts';

/** The reason that BullMQ gives a job whose workers have died too often. */
const lost = 'job stalled more than allowable limit';

/** Why it was given up: what its worker wrote down, or, where none could, what can be seen. */
export function kindOfDead(job: Pick<Job, 'failedReason' | 'data' | 'queueName'>): FailureKind {
  if (job.failedReason === lost) return 'lost';
  const kind = envelopeOf(job.data).failures?.kind;
  if (kind !== undefined) return kind;
  try {
    readJob(job.queueName as QueueName, job.data);
    return 'fault';
  } catch (error) {
    return error instanceof UnfitJob ? 'unfit' : 'fault';
  }
}
