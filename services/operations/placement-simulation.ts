// What an operator asks of placement before anybody comes: where so many new users would go, and what Cyrus would do.
import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { seededChance } from '../placement/chance.ts';
import { decide } from '../placement/decision.ts';
import type { Facts, ServerFacts } from '../placement/facts.ts';
import type { Policy } from '../placement/policy.ts';
import { modes } from '../placement/selection.ts';
import type { Mode } from '../placement/selection.ts';
import { levels, simulateCyrusInSteps, simulateInSteps } from '../placement/simulation.ts';
import type { Level, Outcome } from '../placement/simulation.ts';
import { Refusal } from './refusal.ts';

const percent = z.number().optional();
const refusedValue = z.array(z.object({ users: z.int(), reason: z.string() }));

const placeValue = z.object({
  server: z.string(),
  partition: z.string().meta({ description: 'Empty where the backend chooses it.' }),
  total_kib: z.number(),
  available_kib: z.number().meta({ description: 'Free now, without what is promised.' }),
  users: z.int().meta({ description: 'So many would go there.' }),
  available_then_kib: z.number(),
  used_percent: percent,
  used_then_percent: percent,
  cyrus_users: z.int().optional().meta({ description: 'So many Cyrus would send there.' }),
  cyrus_used_then_percent: percent,
});

export const simulationValue = z
  .object({
    mode: z.enum(modes).meta({ description: 'How servers are selected.' }),
    promised_space_kib: z.number().meta({ description: 'What each user takes.' }),
    processes: z.int().meta({ description: 'Of Cyrus; each goes by the figures that it read first.' }),
    places: z.array(placeValue),
    out: z
      .array(z.object({ server: z.string(), reason: z.string().optional() }))
      .meta({ description: 'Servers that would get nobody from the first user on.' }),
    refused: refusedValue.meta({ description: 'Users for whom there would be no place.' }),
    cyrus_refused: refusedValue,
  })
  .meta({ id: 'Simulation', description: 'Where so many new users would go if they came now.' });

export type SimulationValue = z.output<typeof simulationValue>;
export type SimulatedPlace = z.output<typeof placeValue>;

export interface SimulationQuery {
  users: number;
  /** Cyrus processes. */
  processes: number;
  seed: number;
  zone?: string | undefined;
  /** Servers must have all of them. */
  tags?: string[] | undefined;
  /** In place of what is configured. */
  mode?: Mode | undefined;
}

/** Of users times servers: half a minute of reckoning, or less. */
const most = 5_000_000;

/** How long is reckoned before others of the process have their turn, in milliseconds: deliveries among them. */
const slice = 5;

/**
 * `figures`: what is known of the backends' space, in milliseconds since 1970. Refused as usage where it would take long, as
 * unsafe while another one is being reckoned.
 */
export function simulating(figures: (now: number) => Promise<ServerFacts[]>, configured: Policy) {
  let isBusy = false;
  return async (query: SimulationQuery): Promise<SimulationValue> => {
    const mode = query.mode ?? configured.servers.mode;
    const policy = { ...configured, servers: { ...configured.servers, mode } };
    const now = Date.now();
    const servers = await figures(now);
    refuseLong(query, servers.length);
    if (isBusy) throw new Refusal('unsafe', 'another simulation is being reckoned: ask again when it is over');
    isBusy = true;
    try {
      return await resultOf({ now, servers }, policy, query);
    } finally {
      isBusy = false;
    }
  };
}

/** More frontends nobody has; each remembers the figures of all servers. */
const mostProcesses = 10_000;

function refuseLong({ users, processes }: SimulationQuery, servers: number): void {
  if (processes > mostProcesses) {
    throw new Refusal('usage', `${processes} processes are too many; it may be ${mostProcesses}`);
  }
  const limit = Math.floor(most / Math.max(1, servers));
  if (users <= limit) return;
  throw new Refusal('usage', `${users} users on ${servers} servers take too long; it may be ${limit} users`);
}

async function resultOf(facts: Facts, policy: Policy, query: SimulationQuery): Promise<SimulationValue> {
  const { users, processes, seed, zone, tags } = query;
  const wish = { zone, tags };
  const ours = await inSlices(simulateInSteps(facts, policy, { users, wish, chance: seededChance(seed) }));
  const byItself = { users, processes, chance: seededChance(seed) };
  const cyrus = await inSlices(simulateCyrusInSteps(facts, lookingOnce(policy), byItself));
  const byCyrus = levels(facts.servers, cyrus, policy.promisedKiB);
  const { servers } = decide({ name: 'the first', ...wish }, facts, policy, seededChance(seed));
  return {
    ...{ mode: policy.servers.mode, promised_space_kib: policy.promisedKiB, processes },
    places: levels(facts.servers, ours, policy.promisedKiB).map((level, at) => placeOf(level, byCyrus[at])),
    out: servers.filter(({ out }) => out !== undefined).map(({ name, out }) => ({ server: name, reason: out })),
    refused: told(ours.refused),
    cyrus_refused: told(cyrus.refused),
  };
}

async function inSlices(steps: ReturnType<typeof simulateInSteps>): Promise<Outcome> {
  for (;;) {
    const until = performance.now() + slice;
    while (performance.now() < until) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
    await turn();
  }
}

/** As Cyrus is unless it is told otherwise: its usage_reinit is 0. */
function lookingOnce(policy: Policy): Policy {
  const once = { usageReinit: 0 };
  return { ...policy, servers: { ...policy.servers, ...once }, partitions: { ...policy.partitions, ...once } };
}

function placeOf(ours: Level, cyrus: Level | undefined): SimulatedPlace {
  return {
    ...{ server: ours.server, partition: ours.partition, total_kib: ours.totalKiB, available_kib: ours.availableKiB },
    ...{ users: ours.users, available_then_kib: ours.afterKiB, used_percent: ours.fill },
    ...{ used_then_percent: ours.fillAfter, cyrus_users: cyrus?.users, cyrus_used_then_percent: cyrus?.fillAfter },
  };
}

function told(refused: Outcome['refused']): SimulationValue['refused'] {
  return Array.from(refused, ([reason, users]) => ({ users, reason }));
}
