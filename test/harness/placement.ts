// Servers and policies for tests of placement.
import type { Promised, ServerFacts } from '../../services/placement/facts.ts';
import type { BackendPolicy, Policy, Selecting } from '../../services/placement/policy.ts';
import type { Mode } from '../../services/placement/selection.ts';

/** A server that answered just now (at 1000) and has one partition, `default`. */
export function serverOf(name: string, availableKiB: number, totalKiB: number, more: Partial<ServerFacts> = {}) {
  const partitions = [{ name: 'default', availableKiB, totalKiB }];
  return { name, answered: true, at: 1000, users: 0, partitions, ...more };
}

/** A: 500 of 1000 KiB free, B: 300 of 400, C: 10 of 100. */
export const abc = [serverOf('A', 500, 1000), serverOf('B', 300, 400), serverOf('C', 10, 100)];

export interface PolicyWish extends Partial<Omit<Policy, 'servers' | 'partitions' | 'backends'>> {
  mode?: Mode;
  servers?: Partial<Policy['servers']>;
  partitions?: Partial<Selecting>;
  backends?: Readonly<Record<string, Partial<BackendPolicy>>>;
}

/** A policy for these servers; each user is promised 1 KiB. */
export function policyFor(servers: readonly { name: string }[], wish: PolicyWish = {}): Policy {
  const { mode = 'freespace-most', servers: forServers, partitions, backends = {}, ...rest } = wish;
  const own: BackendPolicy = { weight: 1, tags: [], drain: false, exclude: [] };
  return {
    servers: { mode, softUsageLimit: 0, usageReinit: 0, ...forServers },
    partitions: { mode: 'freespace-most', softUsageLimit: 0, usageReinit: 0, ...partitions },
    ...{ promisedKiB: 1, promiseLifetime: 60_000, promiseAttempts: 10, figuresMaxAge: 3_600_000 },
    backends: new Map(servers.map(({ name }) => [name, { ...own, ...backends[name] }])),
    ...rest,
  };
}

export function promisedOf(users: number, KiB: Record<string, number>): Promised {
  return { users, KiB: new Map(Object.entries(KiB)) };
}
