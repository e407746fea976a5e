// How long many moves take under the limits of how many may go on at a time.
import type { Bytes } from '../directory/entry.ts';
import { locationOf } from './plan.ts';
import type { PlanLimits, PlannedMove } from './plan.ts';

/**
 * How long moves take in all, in seconds: what the tightest limit allows, and never less than the longest of them. The order
 * of plan-order.ts comes close to it.
 */
export function durationOf(moves: readonly PlannedMove[], limits: PlanLimits): number {
  const work = { all: 0, longest: 0, octets: 0 };
  const sums = {
    sources: new Map<Bytes, number>(),
    destinations: new Map<Bytes, number>(),
    partitions: new Map<Bytes, number>(),
  };
  const add = (to: Map<Bytes, number>, key: Bytes, seconds: number) => to.set(key, (to.get(key) ?? 0) + seconds);
  for (const { from, to, seconds, octets } of moves) {
    work.all += seconds;
    work.octets += octets;
    work.longest = Math.max(work.longest, seconds);
    add(sums.sources, from.server, seconds);
    add(sums.destinations, to.server, seconds);
    for (const place of new Set([locationOf(from), locationOf(to)])) add(sums.partitions, place, seconds);
  }
  const most = (of: Map<Bytes, number>) => Math.max(0, ...of.values());
  return Math.ceil(
    Math.max(
      ...[work.longest, work.all / limits.total],
      ...[most(sums.sources) / limits.perSource, most(sums.destinations) / limits.perDestination],
      most(sums.partitions) / limits.perPartition,
      limits.bytesPerSecond === 0 ? 0 : work.octets / limits.bytesPerSecond,
    ),
  );
}
