// A problem as the API tells it (RFC 9457).
import { z } from 'zod';
import type { RefusalKind } from './refusal.ts';

/** What stands before a problem's kind in its type, which RFC 9457 wants to be an URI. */
export const problemType = 'urn:rookery:problem:';

/** Of refusals, of requests that are wrong in themselves, and of what went wrong here. */
export type ProblemKind =
  RefusalKind | 'request' | 'unauthorized' | 'forbidden' | 'route' | 'size' | 'rate' | 'internal';

export const problemValue = z
  .object({
    type: z.string().meta({ description: `${problemType} and the kind of the problem.` }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ field: z.string(), value: z.string(), expected: z.string() }))
      .optional()
      .meta({ description: 'Of a wrong request: each field that is wrong, its value, and what it may be.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' });

export type ProblemValue = z.output<typeof problemValue>;
