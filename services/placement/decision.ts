// A placement decided: which server and partition a new user gets, as a value that carries all it was decided by.
import type { Chance } from './chance.ts';
import { lookAt } from './considering.ts';
import type { Considered, ConsideredServer, Look, Request } from './considering.ts';
import type { Facts } from './facts.ts';
import type { Policy } from './policy.ts';
import { draws, landing, weigh } from './selection.ts';
import type { Mode, Rule } from './selection.ts';

/** Where a user goes. */
export interface Place {
  server: string;
  /** Empty where the backend chooses it. */
  partition: string;
}

/** Plain values only, so that it can be kept as JSON and told again. */
export interface Decision {
  request: Request;
  /** When it was taken, in milliseconds since 1970. */
  at: number;
  modes: { servers: Mode; partitions: Mode };
  /** All servers, in the order in which they were looked at. */
  servers: ConsideredServer[];
  /** The partitions of the server that was chosen. */
  partitions: Considered[];
  /** The numbers drawn, from 0 to below 100, that fell on the shares in their order. */
  drawn: { server?: number; partition?: number };
  chosen?: Place;
  /** Why nothing was chosen. */
  refused?: string;
  /** Nothing ever will be, for the same request and configuration. */
  lasting?: true;
}

/** Chooses server and partition by the policy; what the request names stands. */
export function decide(request: Request, facts: Facts, policy: Policy, chance: Chance): Decision {
  const looks = beforeOthers(
    facts.servers.map((server) => lookAt(server, request, policy, facts.now)),
    policy,
  );
  const { at, drawn, servers } =
    request.server === undefined ? drawServer(looks, policy.servers, chance) : named(request.server, looks);
  const look = at === undefined ? undefined : looks[at];
  const partitions = look?.partitions ?? [];
  const base = {
    ...{ request, at: facts.now, servers, partitions },
    modes: { servers: policy.servers.mode, partitions: policy.partitions.mode },
  };
  const server = request.server ?? look?.server.name;
  const why = server === undefined ? noServer(servers) : noSuchPlace(server, request, facts, policy);
  if (server === undefined || why !== undefined) {
    const isLasting = server !== undefined || (servers.length > 0 && servers.every(({ lasting }) => lasting));
    return {
      ...{ ...base, partitions: [], drawn: drawnNumbers(drawn, undefined) },
      ...{ ...(why !== undefined && { refused: why }), ...(isLasting && { lasting: true as const }) },
    };
  }
  const partition = drawPartition(partitions, request.partition, policy.partitions, chance);
  const numbers = drawnNumbers(drawn, partition.drawn);
  if (partition.name !== undefined) return { ...base, drawn: numbers, chosen: { server, partition: partition.name } };
  return { ...base, drawn: numbers, refused: `no partition of ${server} can take it (${outs(partitions)})` };
}

/** Whom a canary is to have goes to no other server, as long as one of them can take him. */
function beforeOthers(looks: readonly Look[], { backends }: Policy): readonly Look[] {
  const isCanary = ({ server }: Look) => backends.get(server.name)?.canary !== undefined;
  if (!looks.some((look) => look.candidate && isCanary(look))) return looks;
  return looks.map((look) =>
    look.candidate && !isCanary(look)
      ? { ...look, candidate: undefined, server: { ...look.server, out: 'this user is for a canary' } }
      : look,
  );
}

interface Lot {
  at: number | undefined;
  drawn?: number;
}

interface ServerLot extends Lot {
  /** The servers, with the shares that they had. */
  servers: ConsideredServer[];
}

function named(name: string, looks: readonly Look[]): ServerLot {
  const servers = looks.map(({ server }) => server);
  return { at: servers.findIndex((server) => server.name === name), servers };
}

function drawServer(looks: readonly Look[], rule: Rule, chance: Chance): ServerLot {
  const candidates = looks.flatMap(({ candidate }) => candidate ?? []);
  const { each } = weigh(candidates, rule);
  const servers = looks.map(({ server, candidate }) => ({
    ...server,
    ...(candidate && each[candidates.indexOf(candidate)]),
  }));
  return { ...draw(servers, rule, chance), servers };
}

/** The partition's name; empty where the backend chooses, undefined where none can be chosen. */
function drawPartition(partitions: readonly Considered[], wanted: string | undefined, rule: Rule, chance: Chance) {
  if (wanted !== undefined || partitions.length === 0) return { name: wanted ?? '' };
  const { at, ...lot } = draw(partitions, rule, chance);
  return { ...lot, name: at === undefined ? undefined : partitions[at]?.name };
}

function draw(all: readonly Considered[], { mode }: Rule, chance: Chance): Lot {
  const shares = all.map(({ share }) => share);
  // Where one has it all, there is nothing to draw.
  if (!draws(mode)) return { at: landing(shares, 0) };
  const drawn = 100 * chance();
  return { at: landing(shares, drawn), drawn };
}

function drawnNumbers(server: number | undefined, partition: number | undefined): Decision['drawn'] {
  return { ...(server !== undefined && { server }), ...(partition !== undefined && { partition }) };
}

/** Why there is no such place; where the backend does not tell its partitions it will say so itself. */
function noSuchPlace(
  name: string,
  { partition }: Request,
  { servers }: Facts,
  { backends }: Policy,
): string | undefined {
  if (!backends.has(name)) {
    return `there is no backend ${name}; it may be one of ${Array.from(backends.keys()).join(', ')}`;
  }
  const shut = backends.get(name)?.shut;
  if (shut !== undefined) return `${name} takes nobody: it is ${shut}`;
  const told = servers.find((server) => server.name === name)?.partitions.map((one) => one.name) ?? [];
  if (partition === undefined || told.length === 0 || told.includes(partition)) return undefined;
  return `${name} has no partition ${partition}; it may be one of ${told.join(', ')}`;
}

function noServer(servers: readonly ConsideredServer[]): string {
  return servers.length === 0 ? 'there are no backends' : `no server can take it (${outs(servers)})`;
}

function outs(all: readonly Considered[]): string {
  return all.map(({ name, out = 'no chance' }) => `${name}: ${out}`).join('; ');
}
