// Rings the queues: whoever rings goes on at once, whatever Redis does.
import { setTimeout as sleep } from 'node:timers/promises';
import { settledWithin } from './bound.ts';
import { writeJob } from './envelope.ts';
import type { WrittenJob } from './envelope.ts';
import type { EventLog } from './processor.ts';
import { jobOptions } from './job-options.ts';
import type { Payload, QueueName } from './queues.ts';
import type { QueueSet } from './queue-set.ts';

/** How many rings go to Redis in one go. */
const batchSize = 100;

export interface ProducerOptions {
  queues: QueueSet;
  log: EventLog;
  /** How many rings wait here while Redis is away; further ones are dropped. Default 10,000: some megabytes. */
  limit?: number;
  /** The pause before it is tried again, in milliseconds. Default 1000. */
  pause?: number;
  /** How long close() may take to hand over what still waits, in milliseconds. Default 2000. */
  closeTimeout?: number;
}

interface Ring {
  queue: QueueName;
  job: WrittenJob;
}

export class Producer {
  readonly #options: Required<ProducerOptions>;
  /** By queue and subject: a second ring for the same says nothing new. */
  readonly #waiting = new Map<string, Ring>();
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;
  #failing = false;
  #droppedNow = 0;
  #dropped = 0;

  constructor(options: ProducerOptions) {
    this.#options = { limit: 10_000, pause: 1_000, closeTimeout: 2_000, ...options };
  }

  /** How many rings wait here for Redis. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many rings were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Has a worker look at what the payload names, soon. A ring for what waits already changes nothing; one for what is
   * being looked at brings one more look after it. `traceparent` (W3C Trace Context) is the trace that the job's look
   * belongs to; one that is none is left out. Never throws, waits for nothing.
   */
  ring<Q extends QueueName>(queue: Q, payload: Payload<Q>, traceparent?: string): void {
    let job;
    try {
      job = writeJob(queue, payload, traceparent);
    } catch (error) {
      this.#options.log.error({ err: error, queue }, 'events: this can be no job');
      return;
    }
    const key = `${queue} ${job.subject}`;
    if (this.#closing.signal.aborted || (this.#waiting.size >= this.#options.limit && !this.#waiting.has(key))) {
      this.#drop(queue);
      return;
    }
    this.#waiting.set(key, { queue, job });
    this.#sending ??= this.#send();
  }

  /** As `ring`, for whoever wants to know: resolves when Redis has all of it, rejects when that does not answer. */
  async rung<Q extends QueueName>(queue: Q, payloads: readonly Payload<Q>[]): Promise<void> {
    const rings = payloads.map((payload) => ({ queue, job: writeJob(queue, payload) }));
    for (let at = 0; at < rings.length; at += batchSize) await this.#handOver(rings.slice(at, at + batchSize));
  }

  /** Hands over what waits, if Redis takes it in time. The queues stay open. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#sending) await settledWithin(this.#sending, this.#options.closeTimeout);
    if (this.#waiting.size > 0) {
      this.#options.log.warn({ rings: this.#waiting.size }, 'events: Redis has not taken all rings before the end');
      this.#waiting.clear();
    }
  }

  #drop(queue: QueueName): void {
    this.#dropped += 1;
    this.#droppedNow += 1;
    if (this.#droppedNow > 1) return;
    this.#options.log.warn({ queue, waiting: this.#waiting.size }, 'events: rings are dropped until Redis takes them');
  }

  async #send(): Promise<void> {
    // What is rung in this turn goes together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const batch = Array.from(this.#waiting).slice(0, batchSize);
      // Taken out first: a ring that comes from now on may be about what this one's look does not see.
      for (const [key] of batch) this.#waiting.delete(key);
      try {
        await this.#handOver(batch.map(([, ring]) => ring));
        this.#works();
      } catch (error) {
        for (const [key, ring] of batch) this.#waiting.set(key, ring);
        this.#fails(error);
        if (this.#closing.signal.aborted) break;
        await sleep(this.#options.pause, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    }
    this.#sending = undefined;
  }

  async #handOver(rings: readonly Ring[]): Promise<void> {
    const byQueue = new Map<QueueName, Ring[]>();
    for (const ring of rings) byQueue.set(ring.queue, [...(byQueue.get(ring.queue) ?? []), ring]);
    for (const [queue, all] of byQueue) {
      await this.#options.queues
        .queue(queue)
        .addBulk(all.map(({ job: { data, subject } }) => ({ name: queue, data, opts: jobOptions(subject) })));
    }
  }

  #fails(error: unknown): void {
    if (!this.#failing) this.#options.log.warn({ err: error }, 'events: Redis takes no rings; they wait here');
    this.#failing = true;
  }

  #works(): void {
    if (this.#failing) this.#options.log.info({ dropped: this.#droppedNow }, 'events: Redis takes rings again');
    this.#failing = false;
    this.#droppedNow = 0;
  }
}
