// A case of reconciliation as it is told to programs.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Case } from '../directory/case.ts';
import { time, timeText } from './time-text.ts';

export const caseValue = z
  .object({
    name: z.string(),
    reason: z.string().meta({ description: 'Why it was opened, or rung for last.' }),
    session: z.string().meta({ description: 'The session whose doing that was.' }),
    since: time,
    waiting: z.string().nullable().meta({ description: 'What it waits for; null: a look by the worker.' }),
    rivals: z
      .array(z.object({ kind: z.enum(['duplicate', 'claim']), location: z.string() }))
      .meta({ description: 'Other servers that say they hold the mailbox.' }),
  })
  .meta({ id: 'Case', description: 'A name whose row may not tell the truth.' });

export const casesAnswer = z.object({ cases: z.array(caseValue) });

export type CaseValue = z.output<typeof caseValue>;

export function caseValueOf({ name, reason, session, since, rivals, waiting }: Case): CaseValue {
  return {
    ...{ name: readable(name), reason, session, since: timeText(since), waiting: waiting ?? null },
    rivals: rivals.map((rival) => ({ kind: rival.kind, location: readable(rival.location) })),
  };
}
