// The servers' room while a plan is made: what moves take and free counts at once, so that each choice sees those before it.
import type { Chance } from '../placement/chance.ts';
import { lookAt } from '../placement/considering.ts';
import type { Request } from '../placement/considering.ts';
import { decide } from '../placement/decision.ts';
import type { Place } from '../placement/decision.ts';
import { nothingPromised, promisedBeside, promisedInAll } from '../placement/facts.ts';
import type { PartitionFacts, Promised, ServerFacts, Space } from '../placement/facts.ts';
import type { Policy } from '../placement/policy.ts';
import { serverSpace } from '../placement/server-space.ts';

/** What is to be moved, in placement's words: text, and KiB. */
export interface Load {
  KiB: number;
  /** Whether it counts as a user of its server. */
  user: boolean;
}

type Tally = Promised & { users: number; KiB: Map<string, number> };

export type Chosen = { place: Place } | { why: string };

export class Room {
  readonly #servers: readonly (ServerFacts & { promised: Tally })[];
  readonly #policy: Policy;
  readonly #now: number;
  readonly #chance: Chance;

  /** `servers` with what is promised to others by now. */
  constructor(servers: readonly ServerFacts[], policy: Policy, now: number, chance: Chance) {
    this.#servers = servers.map((server) => {
      const { users, KiB } = server.promised ?? nothingPromised;
      return { ...server, promised: { users, KiB: new Map(KiB) } };
    });
    [this.#policy, this.#now, this.#chance] = [policy, now, chance];
  }

  get servers(): readonly ServerFacts[] {
    return this.#servers;
  }

  /** A place by placement's rules, on one of these servers where they are given; never one without the room. */
  choose(request: Request, { KiB }: Load, among?: ReadonlySet<string>): Chosen {
    const full = [];
    const servers: ServerFacts[] = [];
    for (const server of this.#servers) {
      if (among && !among.has(server.name)) continue;
      const fit = withRoom(server, KiB);
      // An operator's word stands, also where there is too little room: the plan's notes tell of that.
      if (request.server === server.name) servers.push(fit && hasPartition(fit, request.partition) ? fit : server);
      else if (fit) servers.push(fit);
      else {
        servers.push(server);
        full.push({ server: server.name, is: 'refused' as const, why: `has no room for ${KiB} KiB` });
      }
    }
    const not = [...(request.not ?? []), ...full];
    const decision = decide({ ...request, not }, { now: this.#now, servers }, this.#policy, this.#chance);
    if (decision.chosen) return { place: decision.chosen };
    const why = decision.refused ?? 'no place';
    return { why: why.replaceAll('has refused it: ', '') };
  }

  /** Why a server that may be named gets nothing by placement's rules; undefined where it may be chosen. */
  objection(name: string, request: Omit<Request, 'server'>, { KiB }: Load): string | undefined {
    const server = this.#find(name);
    if (!server) return 'nothing is known of it';
    const { out } = lookAt(server, request, this.#policy, this.#now).server;
    return out ?? (withRoom(server, KiB) ? undefined : `has no room for ${KiB} KiB`);
  }

  /** It is there from now on. */
  take({ server, partition }: Place, { KiB, user }: Load): void {
    const tally = this.#find(server)?.promised;
    if (!tally) return;
    tally.KiB.set(partition, (tally.KiB.get(partition) ?? 0) + KiB);
    if (user) tally.users += 1;
  }

  /** It is there no more; more than all of a disk is never free. */
  free({ server: name, partition }: Place, { KiB, user }: Load): void {
    const server = this.#find(name);
    if (!server) return;
    const { promised } = server;
    const least = Math.max(...spacesOf(server, partition).map((space) => space.availableKiB - space.totalKiB));
    const key = server.partitions.length === 0 ? '' : partition;
    const before = server.partitions.length === 0 ? promisedInAll(server) : besideOf(server, partition);
    const freed = Math.min(KiB, Math.max(0, before - least));
    if (Number.isFinite(freed)) promised.KiB.set(key, (promised.KiB.get(key) ?? 0) - freed);
    if (user) promised.users -= 1;
  }

  /** All its filesystems together, and what is left there; undefined where nothing is known. */
  spaceOf(name: string): { usedKiB: number; totalKiB: number; freeKiB: number } | undefined {
    const server = this.#find(name);
    if (!server?.answered) return undefined;
    const space = wholeSpace(server);
    if (!space || space.totalKiB <= 0) return undefined;
    const freeKiB = space.availableKiB - promisedInAll(server);
    return { usedKiB: space.totalKiB - freeKiB, totalKiB: space.totalKiB, freeKiB };
  }

  #find(name: string) {
    return this.#servers.find((server) => server.name === name);
  }
}

function hasPartition({ partitions }: ServerFacts, wanted: string | undefined): boolean {
  return wanted === undefined || partitions.some(({ name }) => name === wanted);
}

/** The server with those of its partitions that have the room; undefined where none has. */
function withRoom(server: ServerFacts, KiB: number): ServerFacts | undefined {
  if (!server.answered) return server;
  if (server.partitions.length === 0) {
    const space = server.total ?? server.emptiest;
    return space && space.availableKiB - promisedInAll(server) < KiB ? undefined : server;
  }
  const fits = (one: PartitionFacts) => one.availableKiB - promisedBeside(one, server) >= KiB;
  if (server.partitions.every(fits)) return server;
  // What is promised on those that are left out still counts on the filesystems that they share.
  const partitions = server.partitions.filter(fits);
  if (partitions.length === 0) return undefined;
  return { ...server, partitions, promised: beside(server, partitions) };
}

/** The promises as they weigh on some of the partitions alone: those of left-out neighbours go to the first that shares. */
function beside(server: ServerFacts, partitions: readonly PartitionFacts[]): Promised {
  const KiB = new Map<string, number>();
  const counted = new Set<string>();
  for (const one of partitions) {
    const disk = one.filesystem;
    KiB.set(one.name, disk !== undefined && counted.has(disk) ? 0 : promisedBeside(one, server));
    if (disk !== undefined) counted.add(disk);
  }
  return { users: server.promised?.users ?? 0, KiB };
}

function besideOf(server: ServerFacts, partition: string): number {
  const one = server.partitions.find(({ name }) => name === partition);
  return one ? promisedBeside(one, server) : (server.promised?.KiB.get(partition) ?? 0);
}

/** The spaces that a partition's content is in. */
function spacesOf({ partitions, total, emptiest }: ServerFacts, partition: string): Space[] {
  if (partitions.length > 0) return partitions.filter(({ name }) => name === partition);
  return [total, emptiest].flatMap((space) => space ?? []);
}

function wholeSpace({ partitions, total, emptiest }: ServerFacts): Space | undefined {
  if (partitions.length === 0) return total ?? emptiest;
  return serverSpace(
    partitions.map((one) => ({ ...one, promisedKiB: 0 })),
    'freespace-most',
  );
}
