// What is measured, under the names that dashboards and alerts know. No mailbox and no address in any label.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Outcome } from '../logging/outcome.ts';

/** What became of a lookup: `unproven` is an absence that is not believed, `failed` a directory that could not be asked. */
export type LookupResult = 'found' | 'absent' | 'unproven' | 'failed';

/** Seconds: from what a local backend takes, over Postfix' patience with an envelope, to its 600 s for the replies. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export class Metrics {
  readonly registry = new Registry();
  readonly #recipients: Counter<'outcome' | 'reason' | 'backend'>;
  readonly #delays: Histogram<'outcome'>;
  readonly #lookups: Counter<'result'>;
  readonly #losses: Counter;
  readonly #jobs: Histogram<'queue' | 'outcome'>;
  readonly #deadLetters: Counter<'queue' | 'kind'>;

  /** `ofProcess`: whether Node's own figures are among them; those are watched until the process ends. */
  constructor(version: string, { ofProcess = true }: { ofProcess?: boolean } = {}) {
    const registers = [this.registry];
    this.#recipients = new Counter({
      name: 'rookery_lmtp_recipients_total',
      help: 'Recipients answered, by what became of them, why, and the backend concerned.',
      labelNames: ['outcome', 'reason', 'backend'],
      registers,
    });
    this.#delays = new Histogram({
      name: 'rookery_lmtp_recipient_seconds',
      help: 'From RCPT to the last reply about the recipient, by what became of it.',
      labelNames: ['outcome'],
      buckets,
      registers,
    });
    this.#lookups = new Counter({
      name: 'rookery_directory_lookups_total',
      help: 'Names looked up in the directory, by what was found.',
      labelNames: ['result'],
      registers,
    });
    this.#losses = new Counter({
      name: 'rookery_directory_losses_total',
      help: 'Losses of data in Redis that this process has seen; a new epoch began with each.',
      registers,
    });
    this.#jobs = new Histogram({
      name: 'rookery_job_seconds',
      help: 'How long workers had a job, by queue and by how that ended: done, open, later, given back, lost, retried, dead.',
      labelNames: ['queue', 'outcome'],
      buckets,
      registers,
    });
    this.#deadLetters = new Counter({
      name: 'rookery_dead_letters_total',
      help: 'Jobs given up, by queue and by why: refused, away, busy, fault, unfit, newer, lost.',
      labelNames: ['queue', 'kind'],
      registers,
    });
    new Gauge({ name: 'rookery_build_info', help: 'Always 1.', labelNames: ['version', 'node'], registers })
      .labels(version, process.versions.node)
      .set(1);
    if (ofProcess) this.#collectProcess();
  }

  /** Node's own figures, but for those that promtool rejects: gauges called `_total`, as a counter is. */
  #collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
    for (const { name, type } of this.registry.getMetricsAsArray()) {
      // prom-client's types say that `type` is an enum, but it is a word.
      if (name.endsWith('_total') && String(type) !== 'counter') this.registry.removeSingleMetric(name);
    }
  }

  /** Counts a recipient's outcome, and how long it took. */
  observeOutcome({ outcome, reason = '', backend = '', delay_ms }: Outcome): void {
    this.#recipients.inc({ outcome, reason, backend });
    this.#delays.observe({ outcome }, delay_ms / 1000);
  }

  countLookup(result: LookupResult): void {
    this.#lookups.inc({ result });
  }

  countLoss(): void {
    this.#losses.inc();
  }

  /** Counts a run of a job, and how long it took. */
  observeJob(queue: string, outcome: string, seconds: number): void {
    this.#jobs.observe({ queue, outcome }, seconds);
  }

  countDeadLetter(queue: string, kind: string): void {
    this.#deadLetters.inc({ queue, kind });
  }

  /** The text for Prometheus, and its content type. */
  async exposition(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }
}
