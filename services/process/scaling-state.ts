// What a pool should be now, for those outside who start its workers: Kubernetes asks for it by GET /v1/scaling/{pool}.
import { demandOf } from '../events/demand.ts';
import type { QueueDemand } from '../events/demand.ts';
import type { QueueName } from '../events/queues.ts';
import type { Pool, ReadScaling } from '../events/scaling.ts';
import { decide } from '../../workers/autoscaler/decide.ts';
import type { Decision } from '../../workers/autoscaler/decide.ts';

/**
 * Changes nothing in Redis, and remembers what it has answered: the number of workers is taken to be that. So it may be asked
 * at any pace, and by several at once. The first answer knows of no number: it is all that is wanted, without steps.
 */
export function scalingStates(
  pools: readonly Pool[],
  demand: (queue: QueueName) => Promise<QueueDemand>,
  clock: () => number = Date.now,
): ReadScaling {
  const answered = new Map<string, Decision>();
  return async (name) => {
    const pool = pools.find((one) => one.name === name);
    if (!pool) return undefined;
    const queues = await Promise.all(pool.queues.map(demand));
    const before = answered.get(name);
    const limits = before ? pool.limits : { ...pool.limits, stepUp: pool.limits.max };
    const fleet = { current: before?.desired ?? 0, leaving: 0 };
    const decision = decide(queues, fleet, limits, before?.history ?? {}, clock());
    answered.set(name, decision);
    const { depth, active, oldestAge, paused } = demandOf(queues);
    const { desired, reason } = decision;
    return { desired, depth, active, oldestAgeSeconds: Math.round(oldestAge / 1000), paused, reason };
  };
}
