// Runs the processors of named queues in one process, by the door `serve`: it stays until it is stopped.
import { DelayedError, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import type { Job } from 'bullmq';
import { readable } from '../services/address/bytes.ts';
import { settledWithin } from '../services/events/bound.ts';
import type { Outcome, Processor, Processors, RunningWorkers, WorkersStart } from '../services/events/processor.ts';
import { keyPrefix } from '../services/events/queue-set.ts';
import { UnfitJob, readJob, subjectOf } from '../services/events/queues.ts';
import type { QueueName } from '../services/events/queues.ts';
import { workerConnection } from '../services/redis/connection.ts';

export interface HostStart extends WorkersStart {
  processors: Processors;
}

type Connection = ReturnType<typeof workerConnection>;

/** How long one step of the end may take that should take no time, in milliseconds. */
const moment = 1_000;

/**
 * How often a job may lose its worker before it fails. A rollout that is in a hurry kills a worker or two under the same
 * job; a job that kills its workers must come to an end.
 */
const mostLosses = 3;

/** A job that this process works on now. */
interface Running {
  job: Job;
  token: string;
  abort: AbortController;
}

/** Starts a worker for each queue. It takes jobs as soon as Redis answers, and again whenever it comes back. */
export function startWorkers(start: HostStart): RunningWorkers {
  // Each worker tells of its failures, those of the connection among them.
  const connection = workerConnection({ place: start.place, onError: () => undefined });
  const workerOf = <Q extends QueueName>(queue: Q) =>
    new QueueWorker<Q>(queue, start.processors[queue], start, connection);
  const workers = start.queues.map((queue) => workerOf(queue));
  return {
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
      connection.disconnect();
    },
  };
}

class QueueWorker<Q extends QueueName> {
  readonly #queue: Q;
  readonly #process: Processor<Q>;
  readonly #start: HostStart;
  readonly #running = new Map<string, Running>();
  readonly #worker: Worker;
  #stopping = false;
  #lastError = '';

  constructor(queue: Q, process: Processor<Q>, start: HostStart, connection: Connection) {
    this.#queue = queue;
    this.#process = process;
    this.#start = start;
    this.#worker = new Worker(queue, (job, token = '') => this.#run(job, token), {
      ...{ connection, prefix: keyPrefix, concurrency: start.concurrency },
      // A lock is renewed when half of this has passed.
      lockDuration: start.lostAfter,
      stalledInterval: start.lostAfter,
      maxStalledCount: mostLosses,
    });
    this.#listen();
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
      if (!this.#stopping && error.message !== this.#lastError) log.error({ err: error, queue }, 'worker');
      this.#lastError = error.message;
    });
    this.#worker.on('failed', (job, error) => {
      // An attempt that is not the last one is told of by #run.
      if (job?.finishedOn === undefined) return;
      log.error({ queue, job: job.id, attempts: job.attemptsMade, reason: error.message }, 'job failed for good');
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
    const since = performance.now();
    const tell = (outcome: string, more: object) => {
      const about = readable(subjectOf(this.#queue, job.data) ?? '');
      const ms = Math.round(performance.now() - since);
      const fields = { queue: this.#queue, job: id, about, attempt: job.attemptsMade + 1, outcome, ms, ...more };
      this.#start.log[outcome === 'error' ? 'warn' : 'info'](fields, 'job');
    };
    try {
      const outcome = await this.#look(job.data, abort.signal);
      this.#lastError = '';
      tell(outcome.is, { note: outcome.note });
      if (outcome.is !== 'later') return outcome;
      await job.moveToDelayed(Date.now() + outcome.pause, token);
      // BullMQ's way of saying that a job has been seen to.
      throw new DelayedError();
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      if (this.#stopping && abort.signal.aborted) {
        tell('given back', {});
        await this.#giveBack(job, token);
        throw new WaitingError();
      }
      tell('error', { err: error });
      if (error instanceof UnfitJob) throw new UnrecoverableError(error.message);
      throw error;
    } finally {
      this.#running.delete(id);
    }
  }

  async #look(data: unknown, signal: AbortSignal): Promise<Outcome> {
    return await this.#process(readJob(this.#queue, data), signal);
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
