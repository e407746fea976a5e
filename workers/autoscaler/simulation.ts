// A pool played through a trace of arrivals, with the decisions that a real one would get: what if?
import type { QueueDemand } from '../../services/events/demand.ts';
import type { PoolLimits } from '../../services/events/pool-limits.ts';
import { decide } from './decide.ts';
import type { History } from './decide.ts';
import type { Arrival } from './trace.ts';

/** Times in milliseconds. */
export interface World {
  /** From one decision to the next. */
  every: number;
  /** From the start of a worker to its first job. */
  startDelay: number;
}

/** What was seen at one decision. Times are in seconds. */
export interface Sample {
  at: number;
  depth: number;
  active: number;
  oldestAge: number;
  /** Workers that take jobs. */
  ready: number;
  /** Workers that there should be from now on. */
  desired: number;
}

export interface Simulation {
  samples: Sample[];
  jobs: number;
  /** Jobs that were still there when a day had passed after the last one came. */
  unfinished: number;
  /** The longest that any job waited until a worker took it, in seconds. */
  longestWait: number;
  /** From the first arrival to the first job done, in seconds. */
  firstDone: number;
  mostWorkers: number;
  /** How often the number of workers was changed. */
  changes: number;
  /** The share of the time, from 0 to 1, without any worker. */
  idleShare: number;
  /** Seconds of all workers together. */
  workerSeconds: number;
}

/** Jobs with one fate: they came together, or will be done together. Times in milliseconds. */
interface Batch {
  at: number;
  jobs: number;
  duration: number;
}

/** How long after the last arrival it is given up, in milliseconds: the pool can't keep up. */
const patience = 86_400_000;

/** Plays the trace until all is done and the pool is at rest. A job runs to its end, also on a worker that leaves. */
export function simulate(trace: readonly Arrival[], limits: PoolLimits, world: World): Simulation {
  const pool = new SimulatedPool(trace, limits, world);
  const end = (trace.at(-1)?.at ?? 0) * 1000 + patience;
  let now = 0;
  do {
    pool.workUntil(now);
    pool.decideAt(now);
    now += world.every;
  } while (!pool.rests() && now < end);
  return pool.told(trace);
}

class SimulatedPool {
  readonly #limits: PoolLimits;
  readonly #world: World;
  readonly #coming: Batch[];
  /** In line, in order. */
  readonly #line: Batch[] = [];
  /** Being worked on; `at` is when they are done, soonest first. */
  readonly #running: Batch[] = [];
  /** When each worker that has been started takes jobs, oldest first. */
  #workers: number[] = [];
  #history: History = {};
  /** All has happened that happens up to then. */
  #clock = 0;
  readonly #samples: Sample[] = [];
  #longestWait = 0;
  #firstDone: number | undefined;

  constructor(trace: readonly Arrival[], limits: PoolLimits, world: World) {
    this.#limits = limits;
    this.#world = world;
    this.#coming = trace
      .map(({ at, jobs, duration }) => ({ at: at * 1000, jobs, duration: duration * 1000 }))
      .filter(({ jobs }) => jobs > 0);
  }

  /** Nothing is left to come or to do, and the pool is where it goes when nothing is. */
  rests(): boolean {
    const least = Math.min(this.#limits.min, this.#workers.length);
    return this.#coming.length + this.#line.length + this.#running.length === 0 && this.#workers.length === least;
  }

  /** Lets all happen that happens up to a moment, in its order. */
  workUntil(now: number): void {
    for (;;) {
      const next = Math.min(
        this.#coming[0]?.at ?? Infinity,
        this.#running[0]?.at ?? Infinity,
        // A worker that becomes ready matters only where jobs wait for it.
        this.#line.length > 0 ? this.#nextReady() : Infinity,
      );
      if (next > now) break;
      this.#step(next);
    }
    this.#clock = now;
  }

  decideAt(now: number): void {
    const demand = this.#demandAt(now);
    const fleet = { current: this.#workers.length, leaving: 0 };
    const { desired, history } = decide([demand], fleet, this.#limits, this.#history, now);
    this.#history = history;
    this.#samples.push({
      ...{ at: now / 1000, depth: demand.waiting, active: demand.active, oldestAge: demand.oldestAge / 1000 },
      ...{ ready: this.#ready(now), desired },
    });
    while (this.#workers.length < desired) this.#workers.push(now + this.#world.startDelay);
    this.#workers.length = desired;
    this.#take(now);
  }

  told(trace: readonly Arrival[]): Simulation {
    const desired = this.#samples.map((sample) => sample.desired);
    const total = desired.reduce((sum, workers) => sum + workers, 0);
    const changes = desired.filter((workers, index) => workers !== (desired[index - 1] ?? 0)).length;
    const left = [...this.#coming, ...this.#line, ...this.#running];
    return {
      samples: this.#samples,
      jobs: trace.reduce((sum, { jobs }) => sum + jobs, 0),
      unfinished: left.reduce((sum, { jobs }) => sum + jobs, 0),
      longestWait: this.#longestWait / 1000,
      firstDone: this.#firstDone === undefined ? Infinity : this.#firstDone / 1000 - (trace[0]?.at ?? 0),
      mostWorkers: Math.max(...desired),
      changes,
      idleShare: desired.filter((workers) => workers === 0).length / desired.length,
      workerSeconds: (total * this.#world.every) / 1000,
    };
  }

  #demandAt(now: number): QueueDemand {
    const count = (batches: readonly Batch[]) => batches.reduce((sum, { jobs }) => sum + jobs, 0);
    const oldest = this.#line[0];
    return {
      ...{ waiting: count(this.#line), active: count(this.#running), prioritized: 0, due: 0, paused: false },
      oldestAge: oldest ? now - oldest.at : 0,
    };
  }

  #step(now: number): void {
    this.#clock = now;
    for (let done = this.#running[0]; done && done.at <= now; done = this.#running[0]) {
      this.#firstDone ??= done.at;
      this.#running.shift();
    }
    for (let come = this.#coming[0]; come && come.at <= now; come = this.#coming[0]) {
      this.#line.push(come);
      this.#coming.shift();
    }
    this.#take(now);
  }

  /** Gives jobs to whoever is free. */
  #take(now: number): void {
    const active = this.#running.reduce((sum, { jobs }) => sum + jobs, 0);
    let free = this.#ready(now) * this.#limits.concurrency - active;
    for (let first = this.#line[0]; first && free > 0; first = this.#line[0]) {
      const jobs = Math.min(free, first.jobs);
      free -= jobs;
      first.jobs -= jobs;
      this.#longestWait = Math.max(this.#longestWait, now - first.at);
      this.#run({ at: now + first.duration, jobs, duration: first.duration });
      if (first.jobs === 0) this.#line.shift();
    }
  }

  #run(batch: Batch): void {
    const later = this.#running.findIndex(({ at }) => at > batch.at);
    this.#running.splice(later === -1 ? this.#running.length : later, 0, batch);
  }

  #ready(now: number): number {
    return this.#workers.filter((at) => at <= now).length;
  }

  /** When the next worker that is still starting takes jobs; Infinity when none starts. */
  #nextReady(): number {
    return Math.min(...this.#workers.filter((at) => at > this.#clock), Infinity);
  }
}
