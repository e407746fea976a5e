// What an operator asks of the backends' room: how full each was by its last answer, and before that.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { UsageHistory } from '../placement/usage-history.ts';
import { Refusal } from './refusal.ts';

const space = z.object({ availableKiB: z.number(), totalKiB: z.number() });

export const figureValue = z
  .object({
    server: z.string(),
    at: z.number().meta({ description: 'When it was asked, in milliseconds since 1970.' }),
    answered: z.boolean(),
    total: space.optional().meta({ description: 'All partitions together.' }),
    emptiest: space.optional().meta({ description: 'The partition of which the smallest part is used.' }),
    partitions: z
      .array(z.object({ ...space.shape, name: z.string(), filesystem: z.string().optional() }))
      .meta({ description: 'Where the configuration tells them.' }),
    error: z.string().optional().meta({ description: 'Why it did not answer.' }),
  })
  .meta({ id: 'UsageFigure', description: 'What a backend said of its room, or that it said nothing.' });

export const latestValue = z
  .object({
    server: z.string(),
    figure: figureValue.optional().meta({ description: 'The newest one, also where it is no answer.' }),
    silent: z.boolean().meta({ description: 'It was never asked, or did not answer the last time.' }),
    answer: figureValue.optional().meta({ description: 'The newest answer, which may be old.' }),
  })
  .meta({ id: 'Usage', description: 'How full a backend is, as far as that is known.' });

export const usageAnswer = z.object({ servers: z.array(latestValue) });
export const figuresAnswer = z.object({ figures: z.array(figureValue) });

export type FigureValue = z.output<typeof figureValue>;
export type LatestValue = z.output<typeof latestValue>;

/** All reject with a Refusal. */
export interface UsageOperations {
  /** Every backend of the configuration. */
  latest(): Promise<LatestValue[]>;
  /** The newest figures of one, the newest first. Refused as missing where there is no such backend. */
  history(server: string, limit: number): Promise<FigureValue[]>;
}

/** `servers`: the backends that there are. */
export function usageOperations(
  usage: Pick<UsageHistory, 'latest' | 'history'>,
  servers: readonly string[],
): UsageOperations {
  return {
    latest: () => usage.latest(servers),
    async history(server, limit) {
      if (servers.includes(server)) return usage.history(server, limit);
      const there = servers.join(', ') || 'none';
      throw new Refusal('missing', `there is no backend ${readable(bytesFromText(server))}: there are ${there}`);
    },
  };
}
