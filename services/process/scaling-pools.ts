// The pools that the configuration names, each with its queues and what it may do.
import type { Config } from '../config/schema.ts';
import type { QueueName } from '../events/queues.ts';
import type { PoolLimits } from '../events/pool-limits.ts';
import type { Pool } from '../events/scaling.ts';
import { workedHere } from './replicas.ts';

/** The pools in the order of the configuration. One may name no queues: it has those that no other one names. */
export function poolsOf(config: Config): Pool[] {
  const { scaling } = config;
  const named = new Set(Object.values(scaling.pools).flatMap(({ queues = [] }) => queues));
  const others = workedHere(config).filter((name) => !named.has(name));
  return Object.entries(scaling.pools).map(([name, { queues = others, ...pool }]) => ({
    ...{ name, queues, limits: { ...limitsOf(pool), ...movesAtOnce(queues, config) } },
  }));
}

/** A pool for moves alone has no use for more workers than moves may be under way. Others work on more than that. */
function movesAtOnce(queues: readonly QueueName[], { moves }: Config): Pick<PoolLimits, 'atOnce'> {
  const isForMoves = queues.includes('moves') && queues.every((queue) => queue === 'moves' || queue === 'plans');
  return isForMoves ? { atOnce: moves.limits.total } : {};
}

/** The queues that no pool has. */
export function unpooled(config: Config, pools: readonly Pool[]): QueueName[] {
  const pooled = new Set(pools.flatMap(({ queues }) => queues));
  return workedHere(config).filter((name) => !pooled.has(name));
}

/** From the operator's names and seconds. */
function limitsOf(pool: Omit<Config['scaling']['pools'][string], 'queues'>): PoolLimits {
  const second = 1000;
  return {
    ...{ concurrency: pool.concurrency, min: pool.min, max: pool.max, targetPerWorker: pool.target_per_worker },
    ...{ ageObjective: pool.age_objective * second, cooldown: pool.cooldown * second },
    ...{ stepUp: pool.step_up, upEvery: pool.up_every * second },
    ...{ stepDown: pool.step_down, downEvery: pool.down_every * second },
    ...(pool.backend_limit !== undefined && { backendLimit: pool.backend_limit }),
  };
}
