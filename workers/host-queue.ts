// One queue worked off in one process: jobs are looked at, told of, tried again, given back.
import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedError, WaitingError, Worker } from 'bullmq';
import type { Job } from 'bullmq';
import { readable } from '../services/address/bytes.ts';
import { settledWithin } from '../services/events/bound.ts';
import { kindOfDead } from '../services/events/dead-letter.ts';
import {
  NewerJob,
  UnfitJob,
  envelopeOf,
  isObject,
  readJob,
  subjectOf,
  withFailures,
} from '../services/events/envelope.ts';
import { kindOf, oneMore } from '../services/events/failure.ts';
import type { FailureKind } from '../services/events/failure.ts';
import { thrownFor } from '../services/events/job-options.ts';
import type { Outcome, Processors, RunEnd, WorkersStart } from '../services/events/processor.ts';
import { keyPrefix } from '../services/events/queue-set.ts';
import { formOf } from '../services/events/queues.ts';
import type { QueueName } from '../services/events/queues.ts';
import { nextPause } from '../services/events/retry.ts';
import { traceId } from '../services/events/trace.ts';
import { isAway } from '../services/redis/away.ts';
import type { workerConnection } from '../services/redis/connection.ts';
import { JobDesk } from './host-desk.ts';

/** How long one step of the end may take that should take no time, in milliseconds. */
const moment = 1_000;

/** How often it is looked whether jobs have been put off, in milliseconds. */
const handover = 10;

/**
 * How often locks are looked at while one holds: a job whose worker has died is run again when half to one and a quarter of
 * the time have passed after which a worker is taken for lost. A look costs one command, whoever makes it.
 */
const looks = 4;

/**
 * How often a job may lose its worker before it fails. A rollout that is in a hurry kills a worker or two under the same
 * job; a job that kills its workers must come to an end.
 */
const mostLosses = 3;

export interface HostStart extends WorkersStart {
  /** There is one for each queue that is worked on. */
  processors: Processors;
}

/** A job that this process works on now. */
interface Running {
  job: Job;
  token: string;
  abort: AbortController;
}

/** Tells of the end of a run, with what else there is to say. */
type Tell = (end: RunEnd, more: object) => void;

export class QueueWorker<Q extends QueueName> {
  readonly #queue: Q;
  readonly #start: HostStart;
  readonly #running = new Map<string, Running>();
  readonly #worker: Worker;
  #stopping = false;
  #lastError = '';

  constructor(queue: Q, start: HostStart, connection: ReturnType<typeof workerConnection>) {
    this.#queue = queue;
    this.#start = start;
    this.#worker = new Worker(queue, (job, token = '') => this.#run(job, token), {
      ...{ connection, prefix: keyPrefix, concurrency: start.concurrency, name: start.name },
      // A lock is renewed when half of this has passed.
      lockDuration: start.lostAfter,
      // A job without a lock is run again at the second look that finds it active.
      stalledInterval: start.lostAfter / looks,
      maxStalledCount: mostLosses,
      ...{ removeOnComplete: start.kept.done, removeOnFail: start.kept.dead },
    });
    this.#listen();
  }

  /** How many jobs run now. */
  get busy(): number {
    return this.#running.size;
  }

  /** Takes no new jobs; those that run may finish within the grace, are then told to end, and are given back. */
  async stop(): Promise<void> {
    this.#stopping = true;
    // Settles when what runs has finished and Redis has been told so. `close` could not be hurried afterwards.
    const finished = this.#worker.pause();
    const done = await settledWithin(finished, this.#running.size > 0 ? this.#start.grace : moment);
    if (!done && this.#running.size > 0) {
      for (const { abort } of this.#running.values()) abort.abort(new Error('the worker stops'));
      await settledWithin(finished, moment);
      const left = Array.from(this.#running.values(), ({ job, token }) => this.#giveBack(job, token));
      await settledWithin(Promise.all(left), moment);
    }
    await settledWithin(this.#worker.close(true), moment);
  }

  #listen(): void {
    const { log } = this.#start;
    const queue = this.#queue;
    this.#worker.on('error', (error) => {
      // Said once: while Redis is away there would be one each second. At the end, connections are meant to break.
      const said = error.message === this.#lastError || isAway(error);
      if (!this.#stopping && !said) log.error({ err: error, queue }, 'worker');
      this.#lastError = error.message;
    });
    this.#worker.on('failed', (job, error) => {
      // An attempt that is not the last one is told of by #run.
      if (job?.finishedOn === undefined) return;
      const kind = kindOfDead(job);
      log.error({ queue, job: job.id, kind, attempts: job.attemptsMade, reason: error.message }, 'job failed for good');
      this.#start.measure?.dead(queue, kind);
    });
    this.#worker.on('stalled', (job) => {
      log.warn({ queue, job }, 'job has lost its worker, and is run again');
    });
    // Another worker may have these now.
    this.#worker.on('lockRenewalFailed', (jobs) => {
      for (const job of jobs) this.#running.get(job)?.abort.abort(new Error('the job is no longer ours'));
    });
  }

  async #run(job: Job, token: string): Promise<Outcome> {
    const id = job.id ?? '';
    const abort = new AbortController();
    this.#running.set(id, { job, token, abort });
    const desk = new JobDesk(job);
    const tell = this.#teller(job);
    try {
      await this.#beAlone(job, token);
      const outcome = await this.#look(job, abort.signal, desk);
      this.#lastError = '';
      tell(outcome.is, { note: outcome.note });
      if (outcome.is !== 'later') return outcome;
      await job.moveToDelayed(Date.now() + outcome.pause, token);
      // BullMQ's way of saying that a job has been seen to.
      throw new DelayedError();
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      if (!abort.signal.aborted) throw await this.#failure(job, error, desk, tell);
      tell(this.#stopping ? 'given back' : 'lost', {});
      if (!this.#stopping) throw error;
      await this.#giveBack(job, token);
      throw new WaitingError();
    } finally {
      this.#running.delete(id);
    }
  }

  /**
   * A job whose worker has died under it may be the cause: such jobs are begun one at a time, so that the one that kills
   * its worker takes the others along no further. Resolves when it may begin; the others are put off.
   */
  async #beAlone(job: Job, token: string): Promise<void> {
    if (job.stalledCounter === 0) return;
    const suspects = () => [...this.#running.values()].filter((one) => one.job.stalledCounter > 0);
    if (suspects()[0]?.job !== job) {
      await job.moveToDelayed(Date.now() + moment, token);
      throw new DelayedError();
    }
    // Those that were taken together with it are on their way back.
    for (let waited = 0; suspects().length > 1 && waited < moment; waited += handover) await sleep(handover);
  }

  async #look(job: Job, signal: AbortSignal, desk: JobDesk): Promise<Outcome> {
    const process = this.#start.processors[this.#queue];
    if (!process) throw new Error(`the queue ${this.#queue} has no processor`);
    return await process(readJob(this.#queue, job.data), signal, desk);
  }

  /** A line in the log for each run, and its figures. */
  #teller(job: Job): Tell {
    const since = performance.now();
    const { log, measure } = this.#start;
    return (end, more) => {
      const ms = Math.round(performance.now() - since);
      const about = readable(subjectOf(this.#queue, job.data) ?? '');
      const trace_id = traceId(envelopeOf(job.data).traceparent);
      const fields = { queue: this.#queue, job: job.id, about, attempt: job.attemptsMade + 1, outcome: end, ms };
      const failed = end === 'retried' || end === 'dead';
      log[failed ? 'warn' : 'info']({ ...fields, ...(trace_id !== undefined && { trace_id }), ...more }, 'job');
      measure?.run(this.#queue, end, ms / 1000);
    };
  }

  /** Keeps with the job what went wrong, and decides what becomes of it. Gives what BullMQ is to be thrown. */
  async #failure(job: Job, error: unknown, desk: JobDesk, tell: Tell): Promise<Error> {
    const now = Date.now();
    const kind = failureKind(error);
    const failures = oneMore(envelopeOf(job.data).failures, kind, now);
    const { longestPause } = formOf(this.#queue);
    const pause = nextPause(failures, this.#start.retries, { now, chance: Math.random(), longestPause });
    const message = error instanceof Error ? error.message : String(error);
    tell(pause === undefined ? 'dead' : 'retried', { kind, ...(pause !== undefined && { pause }), err: error });
    const next = pause === undefined ? 'given up' : `again in ${(pause / 1000).toFixed(1)} s`;
    desk.log(`attempt ${job.attemptsMade + 1} by ${this.#start.name}: ${kind}: ${message}; ${next}`);
    // Whoever has removed the job meanwhile wants to hear nothing of it.
    if (isObject(job.data)) await job.updateData(withFailures(job.data, failures)).catch(() => undefined);
    return thrownFor(job, message, pause);
  }

  /** Puts a job first in line again, for another worker. Where Redis can't be told, it is missed in time. */
  async #giveBack(job: Job, token: string): Promise<void> {
    try {
      await job.moveToWait(token);
    } catch (error) {
      this.#start.log.warn({ err: error, queue: this.#queue, job: job.id }, 'job could not be given back');
    }
  }
}

function failureKind(error: unknown): FailureKind {
  if (error instanceof NewerJob) return 'newer';
  return error instanceof UnfitJob ? 'unfit' : kindOf(error);
}
