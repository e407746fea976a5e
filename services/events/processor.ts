// What works off a queue: the shape of a processor and of what it answers, for whoever writes, runs or starts one.
import type { RedisPlace } from '../redis/connection.ts';
import type { Payload, QueueName } from './queues.ts';

/**
 * What became of a look at what a job names. To throw is something else: it says that the look itself went wrong (a
 * backend does not answer), is repeated with growing pauses, and ends as a failed job that keeps the error's message.
 * `note` is for people, in the log and in `rookery queue show`.
 */
export type Outcome =
  /** All is right, or has been put right. */
  | { is: 'done'; note: string }
  /** Nothing certain can be done now. The job is over; whatever keeps the matter open rings for it again. */
  | { is: 'open'; note: string }
  /** Worth another look in `pause` milliseconds, by the same job; uses up no attempt. */
  | { is: 'later'; note: string; pause: number };

/**
 * Looks at what a job names. It may be run twice, also at the same time, and ended at any line: it derives what to do
 * from what it finds. On `signal` it should throw soon, for another worker is then free to take the job.
 */
export type Processor<Q extends QueueName> = (payload: Payload<Q>, signal: AbortSignal) => Promise<Outcome>;
export type Processors = { readonly [Q in QueueName]: Processor<Q> };

export type EventLog = Record<'debug' | 'info' | 'warn' | 'error', (fields: object, text: string) => void>;

export interface WorkersStart {
  place: RedisPlace;
  queues: readonly QueueName[];
  /** How many jobs of a queue this process works on at a time. */
  concurrency: number;
  /** How long running jobs may take to finish at stop(), in milliseconds, before they are given back. */
  grace: number;
  /** How long a job's worker may be silent, in milliseconds, before the job is taken for lost and run again. */
  lostAfter: number;
  log: EventLog;
}

export interface RunningWorkers {
  /** Takes no new jobs, lets running ones finish within the grace, gives the rest back. */
  stop(): Promise<void>;
}
