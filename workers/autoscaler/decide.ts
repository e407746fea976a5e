// How many workers a pool should have, and why: one function for child processes, Kubernetes and the simulator.
import { demandOf } from '../../services/events/demand.ts';
import type { Demand, QueueDemand } from '../../services/events/demand.ts';
import type { PoolLimits } from '../../services/events/pool-limits.ts';

/** The workers there are. */
export interface Fleet {
  /** Those that take jobs, or will as soon as they have started. */
  current: number;
  /** Those that finish what they have and then end. */
  leaving: number;
}

/** What is remembered from one decision to the next. Times are in milliseconds, of one clock. */
export interface History {
  /** Since when there has been nothing to do. */
  emptySince?: number;
  grownAt?: number;
  /** Since when fewer workers would do, and the most that were wanted since then. */
  below?: { since: number; peak: number };
}

export interface Decision {
  desired: number;
  /** For people. */
  reason: string;
  history: History;
}

interface Wish {
  workers: number;
  reason: string;
}

/**
 * The most workers that keep a pool within its maximum, within what it may ask of one backend, and of which each may have work
 * of its own; at least one.
 */
export function mostWorkers({ max, backendLimit = Infinity, atOnce = Infinity, concurrency }: PoolLimits): number {
  return Math.max(1, Math.min(max, Math.floor(backendLimit / concurrency), Math.ceil(atOnce / concurrency)));
}

/** The number of workers for what `queues` show at `now`, in milliseconds; the history goes into the next decision. */
export function decide(
  queues: readonly QueueDemand[],
  fleet: Fleet,
  limits: PoolLimits,
  history: History,
  now: number,
): Decision {
  const demand = demandOf(queues);
  const since = emptySince(demand, history, now);
  const most = mostWorkers(limits);
  const bounds = { lowest: lowestFor(queues, fleet, limits, most), most };
  if (since !== undefined && now - since >= limits.cooldown) {
    const desired = bounds.lowest;
    const reason = `${demand.paused ? 'paused' : 'nothing to do'} for ${inSeconds(now - since)}`;
    return { desired, reason, history: { emptySince: since } };
  }
  const wish = bounded(wishFor(demand, fleet, limits), bounds);
  return paced(wish, fleet.current, bounds.lowest, limits, rememberedAt(now, history, since), now);
}

/** A clock that was set back must not make a time that lies ahead. */
function rememberedAt(now: number, { grownAt, below }: History, since: number | undefined): History {
  return {
    ...(since !== undefined && { emptySince: since }),
    ...(grownAt !== undefined && { grownAt: Math.min(grownAt, now) }),
    ...(below && { below: { ...below, since: Math.min(below.since, now) } }),
  };
}

function emptySince({ depth, active }: Demand, history: History, now: number): number | undefined {
  return depth === 0 && active === 0 ? Math.min(history.emptySince ?? now, now) : undefined;
}

/**
 * Fewer would end a worker that has a job. Others may work off the same queues: for their jobs the pool does not grow
 * beyond its maximum. A worker that is leaving has some of the jobs.
 */
function lowestFor(queues: readonly QueueDemand[], fleet: Fleet, limits: PoolLimits, most: number): number {
  const busy = Math.max(0, ...queues.map(({ active }) => Math.ceil(active / limits.concurrency))) - fleet.leaving;
  return Math.max(Math.min(limits.min, most), Math.min(busy, Math.max(most, fleet.current)));
}

function wishFor({ depth, active, oldestAge, paused }: Demand, { current }: Fleet, limits: PoolLimits): Wish {
  if (depth === 0) {
    const workers = Math.min(current, Math.max(1, Math.ceil(active / limits.concurrency)));
    const idle = paused ? 'paused' : 'nothing to do';
    return { workers, reason: active === 0 ? idle : `nothing in line, ${active} being worked on` };
  }
  const byDepth = Math.ceil(depth / limits.targetPerWorker);
  // More workers than this would have no job.
  const useful = Math.ceil((depth + active) / limits.concurrency);
  const byAge = oldestAge > limits.ageObjective ? Math.min(current + limits.stepUp, useful) : 0;
  return byAge > byDepth
    ? { workers: byAge, reason: `the oldest of ${depth} in line has waited ${inSeconds(oldestAge)}` }
    : { workers: byDepth, reason: `${depth} in line, ${limits.targetPerWorker} for each worker` };
}

function bounded({ workers, reason }: Wish, { lowest, most }: { lowest: number; most: number }): Wish {
  if (workers < lowest) return { workers: lowest, reason: `${reason}; fewer than ${lowest} can't be` };
  const highest = Math.max(most, lowest);
  return workers > highest ? { workers: highest, reason: `${reason}; ${highest} is the most` } : { workers, reason };
}

/** From the wish to the next step. Growth is quick; to shrink, fewer must have been enough for a while. */
function paced(
  wish: Wish,
  current: number,
  lowest: number,
  limits: PoolLimits,
  history: History,
  now: number,
): Decision {
  const { below, ...rest } = history;
  const stay = (why: string, more: History = rest) => ({
    desired: current,
    reason: `${wish.reason}: ${why}`,
    history: more,
  });
  if (wish.workers === current) return { desired: current, reason: wish.reason, history: rest };
  if (wish.workers > current) {
    const early = rest.grownAt !== undefined && now - rest.grownAt < limits.upEvery;
    if (early && current >= Math.max(lowest, 1))
      return stay(`grows to ${wish.workers} when the last ones have had their time`);
    // Before its time only what can't be fewer, or the first ones.
    const step = early && current > 0 ? lowest : Math.min(wish.workers, current + limits.stepUp);
    const desired = Math.max(step, lowest);
    return { desired, reason: wish.reason, history: { ...rest, grownAt: now } };
  }
  const since = below?.since ?? now;
  const peak = Math.max(below?.peak ?? 0, wish.workers);
  if (now - since < limits.downEvery) return stay('fewer would do', { ...rest, below: { since, peak } });
  const desired = Math.min(current, Math.max(peak, current - limits.stepDown, lowest));
  return { desired, reason: wish.reason, history: { ...rest, below: { since: now, peak: wish.workers } } };
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
