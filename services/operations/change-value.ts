// A change of the directory as it is told to programs.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Change } from '../directory/directory.ts';
import { states } from './entry-value.ts';
import { time, timeText } from './time-text.ts';

export const changeValue = z
  .object({
    shard: z.int(),
    seq: z.int().meta({ description: 'The number of the change in its shard.' }),
    time,
    name: z.string(),
    cause: z.string().meta({ description: 'What made it: a command, the end of its session, or an operator.' }),
    state: z.enum([...states, 'absent']).meta({ description: 'The state after the change.' }),
    location: z.string().meta({ description: 'server!partition after the change.' }),
    from: z.string().meta({ description: 'The location before the change; empty when there was no row.' }),
    by: z.string().meta({ description: 'Whose session it is; empty where that is not known.' }),
    session: z.string(),
  })
  .meta({ id: 'Change', description: 'One accepted write, as the change log keeps it.' });

export const changesAnswer = z.object({ changes: z.array(changeValue) });

export type ChangeValue = z.output<typeof changeValue>;

export function changeValueOf(change: Change): ChangeValue {
  const { shard, seq, name, cause, state, location, from, by, session, time } = change;
  return {
    ...{ shard, seq, time: timeText(time), name: readable(name), cause, state },
    ...{ location: readable(location), from: readable(from), by, session },
  };
}
