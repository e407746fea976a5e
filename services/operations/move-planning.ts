// What an operator has planned: which trees are to be moved, and where to; nothing is moved by it.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import { bytesFromText, partitionOf, serverOf } from '../directory/entry.ts';
import type { Place } from '../moves/move.ts';
import type { Plan, PlanLimits } from '../moves/plan.ts';
import { UnfitPlan } from '../moves/plan-wish.ts';
import type { Meant, Named } from '../moves/plan-wish.ts';
import { makePlan } from '../moves/planning.ts';
import type { PlanningMeans } from '../moves/planning.ts';
import { Refusal } from './refusal.ts';
import type { RefusedField } from './refusal.ts';
import { treesMeant, treeWords } from './tree-names.ts';

/** How many users and shared mailboxes may be named. */
export const mostNamed = 100_000;

/** How many names that are none are told of in a sentence, and in all. */
const mostTold = 5;
const mostFields = 1000;

/** What the API answers is the plan's file itself, read by services/moves/plan-file.ts. */
export const planAnswer = z
  .looseObject({
    rookery_plan: z.int().meta({ description: 'The version of the format.' }),
    made: z.iso.datetime(),
    by: z.string(),
    asked: z.string().meta({ description: 'What was asked for, for people.' }),
    notes: z.array(z.string()).meta({ description: 'What to know before it is started.' }),
    moves: z.array(z.looseObject({ name: z.string(), from: z.string(), to: z.string(), octets: z.number() })),
    left_out: z.array(z.looseObject({ name: z.string(), why: z.string() })),
    sha256: z.string().meta({ description: 'Of what stands before it in the file.' }),
  })
  .meta({ id: 'MovePlan', description: 'A plan of moves: its file, as rookery move start takes it.' });

export interface PlanningQuery {
  /** And shared mailboxes; by whatever they are called (tree-names.ts). */
  users: readonly Bytes[];
  /** Of INBOXes and shared mailboxes, with the wildcards of LIST. */
  pattern?: Bytes | undefined;
  /** A server that is to be emptied. */
  evacuate?: Bytes | undefined;
  /** Servers are to be within so many percent of each other. */
  rebalance?: number | undefined;
  /** `SERVER` or `SERVER!PARTITION`. */
  to: readonly Bytes[];
  zone?: string | undefined;
  tags?: readonly string[] | undefined;
  sizes: boolean;
  /** In place of those that are configured. */
  limits: Partial<PlanLimits>;
}

/** Rejects with a Refusal. */
export interface MovePlanning {
  /**
   * Refused as usage where not one kind of trees is asked for, as data where it can be no plan (names that are none are
   * the refusal's fields), as unsafe while another is made.
   */
  plan(query: PlanningQuery, by: string): Promise<Plan>;
}

export interface PlanningSettings {
  limits: PlanLimits;
  addresses: RecipientSettings;
}

/** Plans one at a time: each reads a good part of the directory. */
export function movePlanning(means: PlanningMeans, { limits, addresses }: PlanningSettings): MovePlanning {
  let isBusy = false;
  return {
    async plan(query, by) {
      const { to, zone, tags, sizes } = query;
      const wish = { meant: meantBy(query, addresses), to: to.map(placeIn), zone, tags, sizes };
      if (isBusy) throw new Refusal('unsafe', 'another plan is being made: ask again when it is there');
      isBusy = true;
      try {
        return await makePlan({ ...wish, limits: { ...limits, ...query.limits } }, bytesFromText(by), means);
      } catch (error) {
        if (error instanceof UnfitPlan) throw new Refusal('data', error.message, { cause: error });
        throw error;
      } finally {
        isBusy = false;
      }
    },
  };
}

function meantBy({ users, pattern, evacuate, rebalance }: PlanningQuery, addresses: RecipientSettings): Meant {
  const isNamed = users.length > 0 || pattern !== undefined;
  const kinds = [isNamed, evacuate !== undefined, rebalance !== undefined].filter(Boolean);
  if (kinds.length !== 1)
    throw new Refusal(
      'usage',
      'a plan is for users or a pattern, or to evacuate a server, or to rebalance: one of these',
    );
  if (users.length > mostNamed)
    throw new Refusal('usage', `${users.length} users are named; it may be ${mostNamed}, or a pattern`);
  if (evacuate !== undefined) return { is: 'evacuate', server: evacuate };
  if (rebalance !== undefined) return { is: 'rebalance', within: rebalance };
  return { is: 'named', names: namesOf(users, addresses), pattern };
}

function namesOf(users: readonly Bytes[], addresses: RecipientSettings): Named[] {
  const names: Named[] = [];
  const fields: RefusedField[] = [];
  for (const [at, said] of users.entries()) {
    const found = treesMeant(said, addresses);
    if ('may' in found) names.push({ said, may: found.may });
    else fields.push({ field: `users.${at}`, value: `'${readable(said)}', which ${found.fault}`, expected: treeWords });
  }
  if (fields.length === 0) return names;
  const told = fields.slice(0, mostTold).map(({ value }) => value);
  const more = fields.length > told.length ? [`and ${fields.length - told.length} more`] : [];
  const text = `${fields.length} of the names can't be meant: ${[...told, ...more].join('; ')}. It may be ${treeWords}`;
  throw new Refusal('data', text, { fields: fields.slice(0, mostFields) });
}

function placeIn(to: Bytes): Place {
  const place = { server: serverOf(to), partition: partitionOf(to) };
  if (/^[^!\s]+$/.test(place.server) && /^[A-Za-z0-9_.-]*$/.test(place.partition)) return place;
  throw new Refusal('usage', `'${readable(to)}' is no place; it may be SERVER or SERVER!PARTITION`);
}
