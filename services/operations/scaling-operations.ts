// What is asked of pools of workers, by people and by whoever starts the workers: how many there should be, and why.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { ReadScaling } from '../events/scaling.ts';
import { Refusal } from './refusal.ts';

export const scalingValue = z
  .object({
    desired: z.int().meta({ description: 'How many workers there should be.' }),
    depth: z.int().meta({ description: 'Jobs that a worker could take now.' }),
    active: z.int().meta({ description: 'Jobs that are worked on.' }),
    oldest_age_seconds: z.int().meta({ description: 'How long the oldest job that could be taken has waited.' }),
    paused: z.boolean().meta({ description: 'No queue of the pool gives jobs away.' }),
    reason: z.string(),
  })
  .meta({ id: 'Scaling', description: 'A pool of workers as it should be.' });

export const poolValue = z.object({ pool: z.string(), ...scalingValue.shape }).meta({ id: 'Pool' });
export const poolsAnswer = z.object({ pools: z.array(poolValue) });

export type ScalingValue = z.output<typeof scalingValue>;
export type PoolValue = z.output<typeof poolValue>;

/** All reject with a Refusal. */
export interface ScalingOperations {
  /** All pools, in the order of the configuration. */
  list(): Promise<PoolValue[]>;
  /** Refused as missing where the configuration has no such pool. */
  show(pool: string): Promise<ScalingValue>;
}

/** `pools`: the names that there are. */
export function scalingOperations(read: ReadScaling, pools: readonly string[]): ScalingOperations {
  const show = async (pool: string): Promise<ScalingValue> => {
    const state = await read(pool);
    if (!state) {
      const there = pools.join(', ') || 'none';
      throw new Refusal('missing', `there is no pool ${readable(bytesFromText(pool))}: there are ${there}`);
    }
    const { desired, depth, active, oldestAgeSeconds, paused, reason } = state;
    return { desired, depth, active, oldest_age_seconds: oldestAgeSeconds, paused, reason };
  };
  return {
    show,
    list: () => Promise.all(pools.map(async (pool) => ({ pool, ...(await show(pool)) }))),
  };
}
