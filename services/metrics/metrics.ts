// What is measured, under the names that dashboards and alerts know. No mailbox and no address in any label.
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Outcome } from '../logging/outcome.ts';
import { counters, histograms } from './counters.ts';
import type { CounterName, HistogramName, LabelValues } from './counters.ts';

/** What became of a lookup: `unproven` is an absence that is not believed, `failed` a directory that could not be asked. */
export type LookupResult = 'found' | 'absent' | 'unproven' | 'failed';

/** A move as far as it is measured. */
export interface EndedMove {
  state: string;
  octets: number;
  times: { begun?: number; ended?: number; held?: number; released?: number };
}

/** The figures of a process, as they go to another one. */
export type Figures = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export class Metrics {
  readonly registry = new Registry();
  readonly #counters = new Map<CounterName, Counter>();
  readonly #histograms = new Map<HistogramName, Histogram>();
  #others: (() => Promise<Figures[]>) | undefined;

  /** `ofProcess`: whether Node's own figures are among them; those are watched until the process ends. */
  constructor(version: string, { ofProcess = true }: { ofProcess?: boolean } = {}) {
    const registers = [this.registry];
    for (const name of Object.keys(counters) as CounterName[]) {
      const { help, labels } = counters[name];
      this.#counters.set(name, new Counter({ name, help, labelNames: labels, registers }));
    }
    for (const name of Object.keys(histograms) as HistogramName[]) {
      const { help, labels, buckets } = histograms[name];
      this.#histograms.set(name, new Histogram({ name, help, labelNames: labels, buckets: [...buckets], registers }));
    }
    new Gauge({ name: 'rookery_build_info', help: 'Always 1.', labelNames: ['version', 'node'], registers })
      .labels(version, process.versions.node)
      .set(1);
    if (ofProcess) this.#collectProcess();
  }

  /** Node's own figures, under our prefix, but for those that promtool rejects: gauges called `_total`, as a counter is. */
  #collectProcess(): void {
    collectDefaultMetrics({ register: this.registry, prefix: 'rookery_' });
    for (const { name, type } of this.registry.getMetricsAsArray()) {
      // prom-client's types say that `type` is an enum, but it is a word.
      if (name.endsWith('_total') && String(type) !== 'counter') this.registry.removeSingleMetric(name);
    }
  }

  /** Counts one more, under these values of the labels. */
  count<N extends CounterName>(name: N, ...labels: LabelValues<(typeof counters)[N]['labels']>): void {
    this.#counters
      .get(name)
      ?.labels(...labels)
      .inc();
  }

  /** Counts so many more, where there are no labels. */
  add(name: 'rookery_moved_octets_total', by: number): void {
    this.#counters.get(name)?.inc(by);
  }

  /** Notes one measurement, in the unit of the name. */
  observe<N extends HistogramName>(
    name: N,
    value: number,
    ...labels: LabelValues<(typeof histograms)[N]['labels']>
  ): void {
    this.#histograms
      .get(name)
      ?.labels(...labels)
      .observe(value);
  }

  /** Counts a recipient's outcome, and how long it took. */
  observeOutcome({ outcome, reason = '', backend = '', delay_ms }: Outcome): void {
    this.count('rookery_lmtp_recipients_total', outcome, reason, backend);
    this.observe('rookery_lmtp_recipient_seconds', delay_ms / 1000, outcome);
  }

  countLookup(result: LookupResult): void {
    this.count('rookery_directory_lookups_total', result);
  }

  countLoss(): void {
    this.count('rookery_directory_losses_total');
  }

  /** Counts a run of a job, and how long it took. */
  observeJob(queue: string, outcome: string, seconds: number): void {
    this.observe('rookery_job_seconds', seconds, queue, outcome);
  }

  countDeadLetter(queue: string, kind: string): void {
    this.count('rookery_dead_letters_total', queue, kind);
  }

  /** Counts a move that has ended, and what it took. Times are in milliseconds. */
  observeMove({ state, octets, times }: EndedMove): void {
    const { begun, ended, held, released } = times;
    this.count('rookery_moves_total', state);
    if (state === 'done') this.add('rookery_moved_octets_total', octets);
    if (begun !== undefined && ended !== undefined) this.observe('rookery_move_seconds', (ended - begun) / 1000, state);
    if (held !== undefined && released !== undefined)
      this.observe('rookery_move_held_seconds', (released - held) / 1000);
  }

  /** This process's figures. */
  figures(): Promise<Figures> {
    return this.registry.getMetricsAsJSON();
  }

  /** From now on the figures of other processes are added to those of this one. `others` must not reject. */
  join(others: () => Promise<Figures[]>): void {
    this.#others = others;
  }

  /** The text for Prometheus, and its content type. */
  async exposition(): Promise<{ contentType: string; text: string }> {
    const { contentType } = this.registry;
    if (this.#others === undefined) return { contentType, text: await this.registry.metrics() };
    const own = await this.figures();
    const gauges = new Set(own.filter(isGauge).map(({ name }) => name));
    // Gauges that we have, too, are of things that there is one of.
    const others = (await this.#others()).map((list) => list.filter((one) => !isGauge(one) || !gauges.has(one.name)));
    const ours = own.filter(({ name }) => name.startsWith('rookery_'));
    const ofProcess = own.filter(({ name }) => !name.startsWith('rookery_'));
    const texts = await Promise.all([
      AggregatorRegistry.aggregate([ours, ...others]).metrics(),
      ...ofProcess.map(({ name }) => this.registry.getSingleMetricAsString(name)),
    ]);
    return { contentType, text: `${texts.map((text) => text.trimEnd()).join('\n\n')}\n` };
  }
}

/** prom-client's types say that `type` is an enum, but it is a word. */
function isGauge({ type }: { type: unknown }): boolean {
  return String(type) === 'gauge';
}
