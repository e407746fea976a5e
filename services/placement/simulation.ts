// What if so many users came now: where they would go, and how full that would make the servers, by our rules and by Cyrus' own.
import type { Chance } from './chance.ts';
import { CyrusProcess } from './cyrus-process.ts';
import { decide } from './decision.ts';
import type { Place } from './decision.ts';
import { nothingPromised, promisedBeside, promisedInAll } from './facts.ts';
import type { Facts, Promised, ServerFacts, Space } from './facts.ts';
import type { Policy } from './policy.ts';
import type { Request } from './considering.ts';
import { weigh } from './selection.ts';
import type { Candidate } from './selection.ts';
import { serverSpace } from './server-space.ts';

export interface Arrivals {
  users: number;
  /** What each of them asks for. */
  wish?: Omit<Request, 'name'>;
  chance: Chance;
}

/** Where simulated users went; each takes the policy's promised space, at once. */
export interface Outcome {
  /** Users by server, and there by partition (empty where the backend chooses). */
  placed: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Users who found no place, by the reason. */
  refused: ReadonlyMap<string, number>;
}

/** Places to be found, one at each step: whoever takes the steps may do other things in between. */
type Steps = Generator<undefined, Outcome>;

/** All steps at once. */
function taken(steps: Steps): Outcome {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

export function simulate(...given: Parameters<typeof simulateInSteps>): Outcome {
  return taken(simulateInSteps(...given));
}

export function simulateCyrus(...given: Parameters<typeof simulateCyrusInSteps>): Outcome {
  return taken(simulateCyrusInSteps(...given));
}

/** Places them one after the other, each decision seeing what is promised to those before. */
export function* simulateInSteps(facts: Facts, policy: Policy, { users, wish = {}, chance }: Arrivals): Steps {
  const tally = new Tally(policy.promisedKiB);
  const servers = facts.servers.map((server) => ({ ...server, promised: tally.on(server) }));
  for (let user = 1; user <= users; user += 1) {
    const { chosen, refused = '' } = decide({ name: `user ${user}`, ...wish }, { ...facts, servers }, policy, chance);
    if (chosen) tally.place(chosen);
    else tally.refuse(refused);
    yield;
  }
  return tally;
}

/**
 * Has them placed by Cyrus: by so many processes in turn, each with figures of its own, and on each server by one process for
 * each of these. It knows nothing of weights, zones, tags, drains, maxima and promises; and a server that does not answer has no
 * space at all, which makes the choice a lot that falls on that server as well.
 */
export function* simulateCyrusInSteps(
  facts: Facts,
  policy: Policy,
  { users, chance, processes }: Omit<Arrivals, 'wish'> & { processes: number },
): Steps {
  const tally = new Tally(policy.promisedKiB);
  const listed = facts.servers.filter(({ name }) => policy.servers.list?.includes(name) ?? true);
  const servers = listed.map((server) => ({ ...server, promised: tally.on(server) }));
  const read = () => servers.map((server) => cyrusServer(server, policy));
  const frontends = Array.from({ length: processes }, () => new CyrusProcess(policy.servers, read, chance));
  const backends = new Map<string, CyrusProcess>();
  for (let user = 0; user < users; user += 1) {
    yield;
    const turn = user % processes;
    const selected = frontends[turn]?.select();
    const server = servers.find(({ name }) => name === selected);
    if (!server?.answered) {
      tally.refuse(server ? `Cyrus chooses ${server.name}${silenceOf(server)}` : 'Cyrus finds no server');
      continue;
    }
    const key = `${turn} ${server.name}`;
    const backend =
      backends.get(key) ?? new CyrusProcess(policy.partitions, () => cyrusPartitions(server, policy), chance);
    backends.set(key, backend);
    const partition = server.partitions.length === 0 ? '' : backend.select();
    if (partition === undefined) tally.refuse(`Cyrus finds no partition on ${server.name}`);
    else tally.place({ server: server.name, partition });
  }
  return tally;
}

function silenceOf({ silence }: ServerFacts): string {
  return silence === undefined ? ', which does not answer' : `: ${silence}`;
}

/** What has been placed so far, in the shape of promises, so that the next one sees it. */
class Tally implements Outcome {
  readonly placed = new Map<string, Map<string, number>>();
  readonly refused = new Map<string, number>();
  readonly #KiB: number;
  readonly #promised = new Map<string, { users: number; KiB: Map<string, number> }>();

  constructor(KiB: number) {
    this.#KiB = KiB;
  }

  /** What is promised on a server: what was before, and what is placed from now on. */
  on({ name, promised = nothingPromised }: ServerFacts): Promised {
    const own = { users: promised.users, KiB: new Map(promised.KiB) };
    this.#promised.set(name, own);
    return own;
  }

  place({ server, partition }: Place): void {
    const placed = this.placed.get(server) ?? new Map<string, number>();
    this.placed.set(server, placed.set(partition, (placed.get(partition) ?? 0) + 1));
    const promised = this.#promised.get(server);
    if (!promised) return;
    promised.users += 1;
    promised.KiB.set(partition, (promised.KiB.get(partition) ?? 0) + this.#KiB);
  }

  refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }
}

/** A server as a Cyrus frontend sees it: no space where it does not answer. */
function cyrusServer(server: ServerFacts, policy: Policy): Candidate {
  const none = { name: server.name, weight: 1, availableKiB: 0, totalKiB: 0 };
  if (!server.answered) return none;
  if (server.partitions.length === 0) {
    const space = (policy.servers.mode === 'freespace-most' ? server.total : server.emptiest) ?? none;
    return { ...none, ...space, availableKiB: Math.max(0, space.availableKiB - promisedInAll(server)) };
  }
  const candidates = cyrusPartitions(server, policy);
  const { each } = weigh(candidates, policy.partitions);
  const usable = candidates.filter((_, at) => each[at]?.out === undefined);
  const { availableKiB, totalKiB } =
    serverSpace(
      usable.map((one) => ({ ...one, promisedKiB: 0 })),
      policy.servers.mode,
    ) ?? none;
  return { ...none, availableKiB, totalKiB };
}

/** The partitions as the backend itself sees them. */
function cyrusPartitions(server: ServerFacts, policy: Policy): Candidate[] {
  const exclude = policy.backends.get(server.name)?.exclude ?? [];
  return server.partitions
    .filter(({ name }) => !exclude.includes(name))
    .map((one) => ({
      ...{ name: one.name, filesystem: one.filesystem, weight: 1, totalKiB: one.totalKiB },
      // A disk can be no more than full.
      availableKiB: Math.max(0, one.availableKiB - promisedBeside(one, server)),
    }));
}

/** One place before and after. Of partitions on one filesystem each shows the space that they share. */
export interface Level {
  server: string;
  partition: string;
  users: number;
  totalKiB: number;
  /** Free before, without what was promised already; after, below 0 where more than there is was given away. */
  availableKiB: number;
  afterKiB: number;
  /** In use, in percent; undefined where no space is known. */
  fill: number | undefined;
  fillAfter: number | undefined;
}

/** Each place of the servers, and what an outcome makes of it. */
export function levels(servers: readonly ServerFacts[], { placed }: Outcome, promisedKiB: number): Level[] {
  return servers.flatMap((server) => {
    const here = placed.get(server.name) ?? new Map<string, number>();
    const counted = { ...server, promised: { users: 0, KiB: here } };
    const level = (partition: string, space: Space, before: number, taking: number): Level => {
      const availableKiB = space.availableKiB - before;
      const afterKiB = availableKiB - taking * promisedKiB;
      const fill = (free: number) => (space.totalKiB > 0 ? 100 - (100 * free) / space.totalKiB : undefined);
      const users = here.get(partition) ?? 0;
      return {
        ...{ server: server.name, partition, users, totalKiB: space.totalKiB },
        ...{ availableKiB, afterKiB, fill: fill(availableKiB), fillAfter: fill(afterKiB) },
      };
    };
    if (server.partitions.length === 0) {
      const space = server.total ?? server.emptiest ?? { availableKiB: 0, totalKiB: 0 };
      return [level('', space, promisedInAll(server), promisedInAll(counted))];
    }
    return server.partitions.map((one) =>
      level(one.name, one, promisedBeside(one, server), promisedBeside(one, counted)),
    );
  });
}
