// The section `usage`: how full the backends are, and for how long that is remembered.
import { z } from 'zod';
import { key } from './key.ts';
import { count, seconds } from './kinds.ts';

export const usageSection = key(
  z
    .strictObject({
      interval: seconds({
        doc: 'How often each backend is asked how full it is.',
        default: 60,
      }),
      history: count({
        doc: 'How many figures of each backend are kept, about 200 bytes each, in the Redis of the events.',
        min: 1,
        max: 1_000_000,
        default: 2000,
      }),
      most_space: count({
        doc: 'The most space that is believed of a backend. What says that it has more is taken for an error: it would be sent all new users.',
        ...{ unit: 'KiB', min: 1, max: 999_999_999_999_999, default: 1_099_511_627_776 },
      }),
    })
    .prefault({}),
  {
    doc: 'What is remembered of how full the backends were.',
    expects: 'a section of keys',
    example: { history: 2000 },
  },
);
