// What keeps as many workers as the queues need: its shape, for whoever writes or starts it.
import type { QueueDemand } from './demand.ts';
import type { EventLog } from './processor.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { QueueName } from './queues.ts';

/** Workers that work off the same queues. */
export interface Pool {
  name: string;
  queues: readonly QueueName[];
  limits: PoolLimits;
}

export interface ScalingStart {
  pools: readonly Pool[];
  /** Rejects while Redis is away; the workers stay as they are then. */
  demand: (queue: QueueName) => Promise<QueueDemand>;
  /** The words and the environment by which this program becomes a worker of the pool. */
  args: (pool: Pool) => readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** From one decision to the next, in milliseconds. */
  every: number;
  /** How long a worker's jobs may take to finish when it is ended, in milliseconds. */
  grace: number;
  log: EventLog;
}

/** A pool as it is now. */
export interface PoolView {
  pool: string;
  /** What the last decision asked for; 0 before the first one. */
  desired: number;
  /** Worker processes that take jobs, or will as soon as they have started. */
  current: number;
  /** Those that finish what they have. */
  leaving: number;
  reason: string;
}

export interface RunningScaling {
  pools(): PoolView[];
  /** Decides no more, and ends all workers within their grace. */
  stop(): Promise<void>;
}

/** A pool as it should be, told as JSON to whoever starts its workers. */
export interface ScalingState {
  /** How many workers there should be. */
  desired: number;
  /** Jobs that a worker could take now. */
  depth: number;
  active: number;
  oldestAgeSeconds: number;
  /** No queue of the pool gives jobs away. */
  paused: boolean;
  reason: string;
}

/** The state of the pool of that name; undefined when there is none. Rejects (EventsAway) while Redis is away. */
export type ReadScaling = (pool: string) => Promise<ScalingState | undefined>;

export interface KedaStart {
  listen: { host: string; port: number } | { path: string };
  read: ReadScaling;
  /** How often it is looked whether workers are needed, in milliseconds. */
  every: number;
}

export interface RunningKeda {
  /** With the port that was chosen for 0. */
  address: KedaStart['listen'];
  stop(): Promise<void>;
}
