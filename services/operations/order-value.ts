// An order of a user as it is told to programs.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Order } from '../users/order.ts';
import { time, timeText } from './time-text.ts';

export const orderValue = z
  .object({
    name: z.string().meta({ description: "The user's INBOX, as user.jdoe." }),
    order: z.enum(['create', 'delete', 'rename']),
    wanted: z
      .object({
        server: z.string().optional(),
        partition: z.string().optional(),
        zone: z.string().optional(),
        quota: z.int().optional().meta({ description: 'In KiB.' }),
        to: z.string().optional().meta({ description: 'Of a rename: the new name.' }),
      })
      .meta({ description: 'What was said of it besides.' }),
    state: z.enum(['open', 'done', 'refused', 'cancelled']),
    at: z
      .object({ server: z.string(), partition: z.string() })
      .optional()
      .meta({ description: 'What was chosen, or where the user was; left out as long as neither is known.' }),
    note: z.string().meta({ description: 'What it waits for, why it failed last, or how it ended.' }),
    by: z.string().meta({ description: 'Who has ordered it.' }),
    since: time,
  })
  .meta({ id: 'Order', description: 'What was ordered of a user last, and what became of it.' });

export type OrderValue = z.output<typeof orderValue>;

export function orderValueOf({ name, wish, by, since, state, place, note }: Order): OrderValue {
  const { is, ...wanted } = wish;
  const texts = Object.entries(wanted).map(([key, value]) => [
    key,
    typeof value === 'string' ? readable(value) : value,
  ]);
  return {
    ...{ name: readable(name), order: is, wanted: Object.fromEntries(texts) as OrderValue['wanted'], state },
    ...(place && { at: { server: readable(place.server), partition: readable(place.partition) } }),
    ...{ note, by: readable(by), since: timeText(since) },
  };
}
