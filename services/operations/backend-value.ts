// A backend as operators are told of it.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { isFencing, stages } from '../backends/lifecycle.ts';
import type { Fence } from '../backends/lifecycle.ts';
import type { Registry } from '../backends/registry.ts';
import { bytesFromText } from '../directory/entry.ts';
import { emptyingStates } from '../moves/emptying.ts';
import type { Emptying } from '../moves/emptying.ts';
import type { Latest } from '../placement/usage-history.ts';
import { time, timeText } from './time-text.ts';

export const backendValue = z
  .object({
    name: z.string(),
    state: z.enum(stages).meta({
      description:
        'new: gets nobody yet. canary: gets a share of new users. draining: gets no new users. retired: nothing goes there.',
    }),
    share: z.number().optional().meta({ description: 'Of a canary: so many of 100 new users.' }),
    fenced: z.boolean().meta({ description: 'Mail for its mailboxes is put off.' }),
    fence: z.object({ until: time.optional(), reason: z.string(), by: z.string(), since: time }).optional().meta({
      description: 'What an operator said of that; left out where the configuration fences it, or nobody does.',
    }),
    configured: z
      .array(z.enum(['drain', 'fence']))
      .meta({ description: 'What the configuration says of it: that holds whatever operators say.' }),
    said: z
      .object({ by: z.string(), at: time })
      .optional()
      .meta({ description: 'Who spoke of it last, and when; left out where nobody has.' }),
    emptying: z
      .object({
        state: z.enum(emptyingStates).meta({
          description:
            'moving: a run is under way. waiting: nothing of what is left can be moved now; that is looked at again. empty: nothing is there. stuck: a run has moved nothing, or was cancelled.',
        }),
        note: z.string(),
        ...{ by: z.string(), since: time, rounds: z.int(), run: z.string().optional() },
        left_trees: z.int().meta({ description: 'How many could not be moved when that was looked at last.' }),
        left: z.array(z.object({ name: z.string(), why: z.string() })).meta({ description: 'Some of them.' }),
      })
      .optional()
      .meta({ description: 'How far it is, where everybody is moved out of it.' }),
    trees: z.int().meta({ description: 'Users and shared hierarchies that have mailboxes there.' }),
    mailboxes: z.int().meta({ description: 'Rows of the directory.' }),
    available_kib: z.number().optional().meta({ description: 'Free, by its last answer.' }),
    total_kib: z.number().optional(),
    answered: time.optional().meta({ description: 'When it answered last how full it is.' }),
    health: z.string().meta({ description: '`well`, or why it does not take mail at this moment.' }),
  })
  .meta({ id: 'Backend', description: 'A backend, and how it stands.' });

export type BackendValue = z.output<typeof backendValue>;

/** What is known of one besides the registry. */
export interface BackendFigures {
  trees: number;
  mailboxes: number;
  usage: Latest | undefined;
  health: string;
  emptying: Emptying | undefined;
}

export function backendValueOf(name: string, registry: Registry, figures: BackendFigures): BackendValue {
  const { stage, share, fenced } = registry.standing(name);
  const flags = registry.flags(name);
  const word = registry.words().get(name);
  const { trees, mailboxes, usage, health, emptying } = figures;
  const { at, total } = usage?.answer ?? {};
  return {
    ...{ name: readable(bytesFromText(name)), state: stage, ...(share !== undefined && { share }), fenced },
    ...(word?.fence && isFencing(word.fence, Date.now()) && { fence: fenceValueOf(word.fence) }),
    configured: (['drain', 'fence'] as const).filter((flag) => flags[flag]),
    ...(word && { said: { by: word.by, at: timeText(word.at) } }),
    ...(emptying && { emptying: emptyingValueOf(emptying) }),
    ...{ trees, mailboxes },
    ...(total && { available_kib: total.availableKiB, total_kib: total.totalKiB }),
    ...(at !== undefined && { answered: timeText(at) }),
    health,
  };
}

function emptyingValueOf({ state, note, by, since, rounds, run, leftTrees, left }: Emptying) {
  return {
    ...{ state, note, by: readable(by), since: timeText(since), rounds, ...(run !== undefined && { run }) },
    ...{ left_trees: leftTrees, left: left.map(({ name, why }) => ({ name: readable(name), why })) },
  };
}

function fenceValueOf({ until, reason, by, since }: Fence) {
  return { ...(until !== undefined && { until: timeText(until) }), reason, by, since: timeText(since) };
}
