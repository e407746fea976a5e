// What works off a queue: the shape of a processor and of what it answers, for whoever writes, runs or starts one.
import type { RedisPlace } from '../redis/connection.ts';
import type { FailureKind } from './failure.ts';
import type { Payload, QueueName } from './queues.ts';
import type { Retries } from './retry.ts';

/**
 * What became of a look at what a job names. To throw is something else: it says that the look itself went wrong, is
 * repeated as the error's kind has it (failure.ts, retry.ts), and ends as a dead letter that keeps the error's message.
 * `note` is for people, in the log and in `rookery queue show`.
 */
export type Outcome =
  /** All is right, or has been put right. */
  | { is: 'done'; note: string }
  /** Nothing certain can be done now. The job is over; whatever keeps the matter open rings for it again. */
  | { is: 'open'; note: string }
  /** Worth another look in `pause` milliseconds, by the same job; uses up no attempt. */
  | { is: 'later'; note: string; pause: number };

/** What a processor may tell while it works, for `rookery queue show --id`. Kept in bounds, and waited for by nobody. */
export interface Desk {
  /** A line for the job's own log: the newest hundred stay with the job. */
  log(line: string): void;
  /** How far it is; the last one stays with the job. */
  progress(progress: Progress): void;
  /** The trace that has led to the job (W3C Trace Context), to be passed on with what it rings for. */
  readonly traceparent: string | undefined;
}

export interface Progress {
  done: number;
  of?: number;
  note?: string;
}

/**
 * Looks at what a job names. It may be run twice, also at the same time, and ended at any line: it derives what to do
 * from what it finds. On `signal` it should throw soon, for another worker is then free to take the job.
 */
export type Processor<Q extends QueueName> = (payload: Payload<Q>, signal: AbortSignal, desk: Desk) => Promise<Outcome>;

/** A queue without one is not worked on. */
export type Processors = { readonly [Q in QueueName]?: Processor<Q> };

export type EventLog = Record<'debug' | 'info' | 'warn' | 'error', (fields: object, text: string) => void>;

/**
 * How a run of a job has ended: with an outcome, given back at the end of the process, lost to another worker because
 * Redis had not heard of this one for too long, with an error after which it is tried again, or for good.
 */
export type RunEnd = Outcome['is'] | 'given back' | 'lost' | 'retried' | 'dead';

/** Told of what happens, for figures. */
export interface JobMeasure {
  run(queue: QueueName, end: RunEnd, seconds: number): void;
  dead(queue: QueueName, kind: FailureKind): void;
}

/** How long finished jobs are kept: at most so many of a queue, and so long (in seconds). */
export interface Retention {
  done: { count: number; age: number };
  dead: { count: number; age: number };
}

export interface WorkersStart {
  place: RedisPlace;
  /** Which are worked on; left out: all that have a processor. */
  queues?: readonly QueueName[] | undefined;
  /** How many jobs of a queue this process works on at a time. */
  concurrency: number;
  /** How long running jobs may take to finish at stop(), in milliseconds, before they are given back. */
  grace: number;
  /** How long a job's worker may be silent, in milliseconds, before the job is taken for lost and run again. */
  lostAfter: number;
  retries: Retries;
  kept: Retention;
  /** Under which jobs remember who worked on them last: host and process. */
  name: string;
  log: EventLog;
  measure?: JobMeasure | undefined;
}

export interface RunningWorkers {
  /** The queues that are worked on. */
  readonly queues: readonly QueueName[];
  /** How many jobs run here now. */
  readonly busy: number;
  /** Takes no new jobs, lets running ones finish within the grace, gives the rest back. */
  stop(): Promise<void>;
}
