// Each server and partition looked at by itself: whether it may be chosen, why not, and with which figures it is weighed.
import { isForCanary } from './canary.ts';
import { lessPromised, nothingPromised, promisedBeside, promisedInAll } from './facts.ts';
import type { PartitionFacts, ServerFacts } from './facts.ts';
import type { BackendPolicy, Policy } from './policy.ts';
import { percentFree, weigh } from './selection.ts';
import type { Candidate } from './selection.ts';
import { serverSpace } from './server-space.ts';
import type { Figure } from './server-space.ts';

/** What is asked for. What is left out may be anything. */
export interface Request {
  /** The user, or the mailbox. */
  name: string;
  /** By an operator's word: taken whatever the rules say, as long as there is such a backend. */
  server?: string | undefined;
  /** Likewise; without a server, those that have it are selected from. */
  partition?: string | undefined;
  zone?: string | undefined;
  /** The server must have all of them. */
  tags?: readonly string[] | undefined;
  /** Servers that have refused it for certain, or were not reached. */
  not?: readonly { server: string; is: 'refused' | 'silent'; why: string }[] | undefined;
}

/** A server or partition as it was looked at. Space is in KiB, shares and percents are of 100. */
export interface Considered {
  name: string;
  /** Why it could not be chosen; a phrase. */
  out?: string;
  /** Of one that is out: it will be whenever the same is asked for, as long as nobody changes the configuration. */
  lasting?: true;
  /** The chance that it had. */
  share: number;
  /** As it was told, before promises; undefined where it is not known, or not needed. */
  availableKiB?: number | undefined;
  totalKiB?: number | undefined;
  promisedKiB: number;
  /** Free, without what is promised. */
  percent?: number | undefined;
}

export interface ConsideredServer extends Considered {
  /** How old its figures were, in milliseconds. */
  age: number;
  users: number;
  promisedUsers: number;
  weight: number;
}

/** A server with its partitions, none of them where it chooses itself. */
export interface Look {
  server: ConsideredServer;
  partitions: Considered[];
  /** As what it is weighed; undefined when it is out. */
  candidate: Candidate | undefined;
}

/** For a server that is no backend: it is out all the same. */
const standard: BackendPolicy = { weight: 1, tags: [], drain: false, exclude: [] };

/** Why a place that was chosen before is none for this request now; undefined where it still is one. */
export function outgrown(
  place: { server: string; partition: string },
  request: Request,
  policy: Policy,
): string | undefined {
  const { server, partition } = place;
  const own = policy.backends.get(server);
  if (!own) return 'no backend of this name';
  if (request.partition !== undefined && request.partition !== partition) return `on partition ${partition}`;
  if (own.shut !== undefined) return own.shut;
  // What an operator names is taken whatever the rules say.
  if (request.server !== undefined) return request.server === server ? undefined : `${request.server} is asked for`;
  if (request.partition === undefined && own.exclude.includes(partition)) return 'excluded';
  return unwanted(server, request, policy, own) ?? resting(server, request, own);
}

/** Looks at one server, before it is weighed against the others. */
export function lookAt(server: ServerFacts, request: Request, policy: Policy, now: number): Look {
  const own = policy.backends.get(server.name) ?? standard;
  const partitions = partitionsOf(server, request, policy, own);
  const figure = figureOf(server, partitions, policy);
  const never = unwanted(server.name, request, policy, own) ?? withoutPartition(server, request);
  const out =
    never ??
    resting(server.name, request, own) ??
    unfit(server, policy, own, now) ??
    withoutPlace(server, partitions) ??
    (policy.servers.mode === 'random' ? undefined : spaceless(figure));
  const left = figure && lessPromised(figure, figure.promisedKiB);
  const { users, promised = nothingPromised } = server;
  return {
    server: {
      ...{ name: server.name, share: 0 },
      ...{ ...(out !== undefined && { out }), ...(never !== undefined && { lasting: true as const }) },
      ...{ availableKiB: figure?.availableKiB, totalKiB: figure?.totalKiB, percent: left && percentFree(left) },
      ...{ promisedKiB: figure?.promisedKiB ?? promisedInAll(server), promisedUsers: promised.users },
      ...{ age: now - server.at, users, weight: own.weight },
    },
    partitions,
    candidate: out === undefined ? { name: server.name, weight: own.weight, ...(left ?? noSpace) } : undefined,
  };
}

/** Where all is drawn evenly, space may be unknown. */
const noSpace = { availableKiB: 0, totalKiB: 0 };

/** Why the server can never have it: by the request, the list of servers, or its own clear word. */
function unwanted(
  name: string,
  { zone, tags = [], not = [] }: Request,
  policy: Policy,
  own: BackendPolicy,
): string | undefined {
  if (!policy.backends.has(name)) return 'no backend of this name';
  if (policy.servers.list && !policy.servers.list.includes(name)) return 'not in serverlist';
  const refusal = not.find(({ server, is }) => server === name && is === 'refused');
  if (refusal) return `has refused it: ${refusal.why}`;
  if (zone !== undefined && own.zone !== zone) return own.zone === undefined ? 'in no zone' : `in zone ${own.zone}`;
  const missing = tags.filter((tag) => !own.tags.includes(tag));
  return missing.length > 0 ? `without tag ${missing.join(', ')}` : undefined;
}

/** Likewise; only one that tells its partitions is known not to have it. */
function withoutPartition({ partitions }: ServerFacts, { partition }: Request): string | undefined {
  const lacks = partition !== undefined && partitions.length > 0 && partitions.every(({ name }) => name !== partition);
  return lacks ? `has no partition ${partition}` : undefined;
}

/** Why the operator lets nobody on it for a time, or it was not reached a moment ago. */
function resting(name: string, { not = [], name: user }: Request, own: BackendPolicy): string | undefined {
  const silence = not.find(({ server }) => server === name);
  if (silence) return `was not reached: ${silence.why}`;
  if (own.drain) return 'drains';
  if (own.shut !== undefined || own.rests !== undefined) return own.shut ?? own.rests;
  if (own.canary !== undefined && !isForCanary(user, name, own.canary)) {
    return `a canary, for ${own.canary}% of new users: this one is none of them`;
  }
  return own.weight === 0 ? 'weight 0' : undefined;
}

/** Why the server cannot take anybody now. */
function unfit(server: ServerFacts, policy: Policy, own: BackendPolicy, now: number): string | undefined {
  if (!server.answered) return server.silence ?? 'does not answer';
  const { users, promised = nothingPromised } = server;
  if (own.maximumUsers !== undefined && users + promised.users >= own.maximumUsers) {
    return `has its maximum of ${own.maximumUsers} users`;
  }
  const age = now - server.at;
  return figuresCount(policy) && age > policy.figuresMaxAge
    ? `its figures are ${Math.round(age / 1000)} s old`
    : undefined;
}

/** Where all is drawn evenly, nobody looks at the figures. */
function figuresCount({ servers, partitions }: Policy): boolean {
  return servers.mode !== 'random' || partitions.mode !== 'random';
}

function withoutPlace(server: ServerFacts, partitions: readonly Considered[]): string | undefined {
  if (server.partitions.length === 0 || partitions.some(({ out }) => out === undefined)) return undefined;
  return `no partition: ${partitions.map(({ name, out }) => `${name}: ${out ?? ''}`).join(', ')}`;
}

/** Why there is no space to be had; where delta would still give a little to what is full, we do not. */
function spaceless(figure: Figure | undefined): string | undefined {
  if (!figure) return 'its free space is not known';
  const { availableKiB, totalKiB, promisedKiB } = figure;
  if (percentFree(figure) === undefined) return `impossible figures: ${availableKiB} of ${totalKiB} KiB free`;
  return availableKiB <= promisedKiB ? 'no free space' : undefined;
}

/** The partitions, each with its chance on this server. */
function partitionsOf(server: ServerFacts, request: Request, policy: Policy, own: BackendPolicy): Considered[] {
  const { partition } = request;
  const wanted = server.partitions.filter(({ name }) => partition === undefined || name === partition);
  const rule = policy.partitions;
  const looked = wanted.map((one) => {
    const promisedKiB = promisedBeside(one, server);
    const excluded = partition === undefined && own.exclude.includes(one.name);
    const without = figuresCount(policy) ? spaceless({ ...one, promisedKiB }) : undefined;
    return { one, promisedKiB, out: excluded ? 'excluded' : without };
  });
  const fit = looked.filter(({ out }) => out === undefined);
  const { each } = weigh(
    fit.map(({ one, promisedKiB }) => asCandidate(one, promisedKiB)),
    rule,
  );
  return looked.map((look) => {
    const { one, promisedKiB, out } = look;
    const weighed = each[fit.indexOf(look)] ?? { percent: percentFree(lessPromised(one, promisedKiB)), share: 0 };
    return {
      ...{ name: one.name, ...(out !== undefined && { out }), ...weighed },
      ...{ availableKiB: one.availableKiB, totalKiB: one.totalKiB, promisedKiB },
    };
  });
}

function asCandidate(partition: PartitionFacts, promisedKiB: number): Candidate {
  const { name, filesystem } = partition;
  return { name, filesystem, weight: 1, ...lessPromised(partition, promisedKiB) };
}

/** The server's space; undefined where it is not known. */
function figureOf(server: ServerFacts, partitions: readonly Considered[], { servers }: Policy): Figure | undefined {
  if (server.partitions.length === 0) {
    const space = servers.mode === 'freespace-most' ? server.total : server.emptiest;
    return space && { ...space, promisedKiB: promisedInAll(server) };
  }
  const usable = partitions.flatMap(({ name, out, promisedKiB }) => {
    const facts = server.partitions.find((one) => one.name === name);
    return facts && out === undefined ? [{ ...facts, promisedKiB }] : [];
  });
  return serverSpace(usable, servers.mode);
}
