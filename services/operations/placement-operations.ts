// What an operator asks of placement: why a user went where he is, and where others would go.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import type { DecisionStore } from '../users/decision-store.ts';
import type { Decision } from '../placement/decision.ts';
import type { SimulationQuery, SimulationValue } from './placement-simulation.ts';
import { Refusal } from './refusal.ts';
import { inboxOf } from './user-name.ts';

const number = z.number();

const considered = z.object({
  name: z.string(),
  out: z.string().optional().meta({ description: 'Why it could not be chosen.' }),
  lasting: z.literal(true).optional().meta({ description: 'It will be whenever the same is asked for.' }),
  share: number.meta({ description: 'The chance that it had, of 100.' }),
  availableKiB: number.optional().meta({ description: 'As it was told, before promises.' }),
  totalKiB: number.optional(),
  promisedKiB: number,
  percent: number.optional().meta({ description: 'Free, without what is promised.' }),
});

const consideredServer = considered.extend({
  age: number.meta({ description: 'How old its figures were, in milliseconds.' }),
  ...{ users: z.int(), promisedUsers: z.int(), weight: number },
});

export const decisionValue = z
  .object({
    request: z.object({
      name: z.string(),
      server: z.string().optional(),
      partition: z.string().optional(),
      zone: z.string().optional(),
      tags: z.array(z.string()).readonly().optional(),
      not: z
        .array(z.object({ server: z.string(), is: z.enum(['refused', 'silent']), why: z.string() }))
        .readonly()
        .optional()
        .meta({ description: 'Servers that have refused it before, or were not reached.' }),
    }),
    at: z.int().meta({ description: 'When it was taken, in milliseconds since 1970.' }),
    modes: z.object({ servers: z.string(), partitions: z.string() }),
    servers: z.array(consideredServer).meta({ description: 'All servers, as they were looked at.' }),
    partitions: z.array(considered).meta({ description: 'The partitions of the server that was chosen.' }),
    drawn: z
      .object({ server: number.optional(), partition: number.optional() })
      .meta({ description: 'The numbers drawn, from 0 to below 100, that fell on the shares in their order.' }),
    chosen: z
      .object({ server: z.string(), partition: z.string() })
      .optional()
      .meta({ description: 'An empty partition leaves the choice to the server.' }),
    refused: z.string().optional().meta({ description: 'Why nothing was chosen.' }),
    lasting: z.literal(true).optional().meta({ description: 'Nothing ever will be, for the same request.' }),
  })
  .meta({ id: 'Decision', description: 'The last decision on where a user goes, with all it was taken by.' });

/** All reject with a Refusal. */
export interface PlacementOperations {
  /** The last decision on a user, by whatever he is called. Refused as missing where none is known (any more). */
  explain(user: Bytes): Promise<Decision>;
  /** Where so many would go if they came now. */
  simulate(query: SimulationQuery): Promise<SimulationValue>;
}

export function placementExplaining(
  decisions: Pick<DecisionStore, 'read'>,
  addresses: RecipientSettings,
): PlacementOperations['explain'] {
  return async (user) => {
    const name = inboxOf(user, addresses);
    const decision = await decisions.read(name);
    if (!decision) throw new Refusal('missing', `${readable(name)}: no decision is known`);
    // Told in the same order of fields by both doors.
    const told = decisionValue.safeParse(decision);
    if (told.success) return told.data as Decision;
    throw new Refusal('data', `${readable(name)}: what is kept of the decision is of another version`);
  };
}
