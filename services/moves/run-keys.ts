// Where runs lie in Redis, and how a run and its rows are written there.
import { z } from 'zod';
import { recordCodec } from '../redis/record-codec.ts';
import type { Place } from './move.ts';
import { rowStates, runStates } from './run.ts';
import type { Counts, Progress, RowEnd, Run, RunRow } from './run.ts';

/** Before the names of all keys; moves lie under the same hash tag. */
const prefix = 'rookery:{moves}:';

/** Of all runs. */
export const runsKey = `${prefix}runs`;
/** The moves under way of all runs: by `RUN INDEX`. */
export const underWayKey = `${prefix}under-way`;
/** A version that counts up whenever moves begin, and the bucket of octets. */
export const paceKey = `${prefix}pace`;

export function planKey(hash: string): string {
  return `${prefix}plan:${hash}`;
}

/** The keys of one run. */
export function keysOf(id: string) {
  const run = `${prefix}run:${id}`;
  return {
    run,
    counts: `${run}:counts`,
    /** By index. */
    rows: `${run}:rows`,
    /** Indices by name. */
    names: `${run}:names`,
    /** How each row ended, by index. */
    ends: `${run}:ends`,
    /** The same in the order in which they ended: what readers follow. */
    log: `${run}:log`,
    failed: `${run}:failed`,
    /** From where to where; the rows of each wait in a line of their own, in the order of the plan. */
    lines: `${run}:lines`,
    line: (at: number) => `${run}:line:${at}`,
  };
}

export type RunKeys = ReturnType<typeof keysOf>;

/** From where to where: all rows of a line are the same to the limits. */
export interface Line {
  from: Place;
  to: Place;
}

/** A row as it is kept. */
export interface KeptRow extends RunRow {
  line: number;
}

/** A move that has begun: `since` tells it from the same row's at another time. */
export interface Begun extends RunRow {
  line: number;
  since: number;
}

export interface LoggedEnd extends RowEnd {
  index: number;
  name: string;
}

const whole = z.int().nonnegative();
const form: z.ZodType<Run> = z.strictObject({
  ...{ id: z.string(), plan: z.string(), by: z.string(), since: z.int(), why: z.string() },
  totals: z.strictObject({ moves: whole, octets: whole }),
  state: z.enum(runStates),
  limits: z.strictObject({
    ...{ total: whole, perSource: whole, perDestination: whole, perPartition: whole, bytesPerSecond: whole },
  }),
  windows: z.array(z.string()),
  stopWhen: z.strictObject({
    ...{ failed: whole, failedPercent: z.number(), deferred: whole, latency: z.number() },
  }),
  forgiven: z.strictObject({ failed: whole, ended: whole }),
  ...{ alone: z.exactOptional(z.array(whole)), ended: z.exactOptional(z.int()) },
});

/** How a run is written. */
export const runCodec = recordCodec(form);

/** What waits in a run that was cancelled never begins. */
export function progressIn(fields: Readonly<Record<string, string>>, { state }: Pick<Run, 'state'>): Progress {
  const number = (name: string) => Number(fields[name] ?? 0);
  const counts = Object.fromEntries(rowStates.map((one) => [one, number(one)])) as Record<
    (typeof rowStates)[number],
    number
  >;
  const gone = state === 'cancelled' ? counts.waiting : 0;
  const told: Counts = { ...counts, waiting: counts.waiting - gone, dropped: counts.dropped + gone };
  return { counts: told, moved: number('moved'), passed: number('passed') };
}
