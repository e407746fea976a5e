// The hand that starts and ends worker processes on this machine, as many as each pool should have.
import type { Pool, PoolView, RunningScaling, ScalingStart } from '../../services/events/scaling.ts';
import { decide } from './decide.ts';
import type { Decision } from './decide.ts';
import { WorkerChild, needSetpriv } from './worker-child.ts';

/** The first pause before a worker is started in place of one that died, in milliseconds; doubled each time. */
const firstPause = 1_000;
const longestPause = 60_000;

/** A worker that ran this long, in milliseconds, was well: the next pause is a short one again. */
const well = 30_000;

export interface LocalStart extends ScalingStart {
  /** This program: what is run, and the words before those that make it a worker. */
  program: readonly [string, ...string[]];
}

/** Starts no worker yet: that is what the first decision is for. Throws where workers can't be started. */
export function scaleLocally(start: LocalStart): RunningScaling {
  needSetpriv();
  const pools = start.pools.map((pool) => new LocalPool(pool, start));
  const look = () => Promise.all(pools.map((pool) => pool.look()));
  let looking: Promise<unknown> = look();
  let busy = false;
  const timer = setInterval(() => {
    // Redis may take longer than that.
    if (busy) return;
    busy = true;
    looking = looking.then(look).finally(() => (busy = false));
  }, start.every);
  return {
    pools: () => pools.map((pool) => pool.view()),
    async stop() {
      clearInterval(timer);
      await looking;
      await Promise.all(pools.map((pool) => pool.stop()));
    },
  };
}

class LocalPool {
  readonly #pool: Pool;
  readonly #start: LocalStart;
  /** Oldest first. */
  readonly #workers: WorkerChild[] = [];
  readonly #leaving = new Map<WorkerChild, Promise<void>>();
  #decision: Decision = { desired: 0, reason: 'not looked at yet', history: {} };
  #failing = false;
  #pause = firstPause;
  /** When workers may be started again, in milliseconds since 1970: after deaths, not at once. */
  #notBefore = 0;

  constructor(pool: Pool, start: LocalStart) {
    this.#pool = pool;
    this.#start = start;
  }

  view(): PoolView {
    const { desired, reason } = this.#decision;
    return {
      ...{ pool: this.#pool.name, desired, reason },
      ...{ current: this.#workers.length, leaving: this.#leaving.size },
    };
  }

  /** Decides once, and has workers started or ended. While Redis can't be asked all stays as it is. Never rejects. */
  async look(): Promise<void> {
    const { log } = this.#start;
    try {
      const queues = await Promise.all(this.#pool.queues.map(this.#start.demand));
      const fleet = { current: this.#workers.length, leaving: this.#leaving.size };
      this.#decision = decide(queues, fleet, this.#pool.limits, this.#decision.history, Date.now());
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) log.warn({ err: error, pool: this.#pool.name }, 'scaling: the queues could not be asked');
      this.#failing = true;
      return;
    }
    this.#carryOut(this.#decision);
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers.splice(0)) this.#end(worker);
    await Promise.all(this.#leaving.values());
  }

  #carryOut({ desired, reason }: Decision): void {
    const from = this.#workers.length;
    if (desired > from && Date.now() < this.#notBefore) return;
    while (this.#workers.length < desired) this.#begin();
    // The newest ones first: they are the likeliest to have no job yet.
    for (const worker of this.#workers.splice(desired)) this.#end(worker);
    if (desired !== from) this.#start.log.info({ pool: this.#pool.name, from, to: desired, reason }, 'scaling');
  }

  #begin(): void {
    const { args, env } = this.#start;
    const [program, ...words] = this.#start.program;
    const worker = new WorkerChild({ program, args: [...words, ...args(this.#pool)], env });
    this.#workers.push(worker);
    void worker.exited.then((ending) => {
      const at = this.#workers.indexOf(worker);
      if (at === -1) return;
      this.#workers.splice(at, 1);
      this.#died(worker, ending);
    });
  }

  /** It was not told to end. */
  #died(worker: WorkerChild, ending: string): void {
    const now = Date.now();
    // Workers that die together are one failure.
    if (now < this.#notBefore) return;
    if (now - worker.startedAt >= well) this.#pause = firstPause;
    this.#notBefore = now + this.#pause;
    const told = { pool: this.#pool.name, pid: worker.pid, ending, pause_ms: this.#pause };
    this.#start.log.error(told, 'scaling: a worker ended by itself; another one is started after a pause');
    this.#pause = Math.min(this.#pause * 2, longestPause);
  }

  #end(worker: WorkerChild): void {
    const ended = worker.end(this.#start.grace).then((ending) => {
      this.#leaving.delete(worker);
      if (ending === 'SIGKILL') {
        const told = { pool: this.#pool.name, pid: worker.pid };
        this.#start.log.warn(told, 'scaling: a worker did not end in time and was killed; its jobs are run again');
      }
    });
    this.#leaving.set(worker, ended);
  }
}
