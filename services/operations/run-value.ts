// Runs of plans and their moves as they are told to programs.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Move } from '../moves/move.ts';
import type { Place, Times } from '../moves/move.ts';
import { rowStates, runStates } from '../moves/run.ts';
import type { Progress, Run, RunMove } from '../moves/run.ts';
import type { Speed } from '../moves/run-eta.ts';
import type { LoggedEnd } from '../moves/run-keys.ts';
import { time, timeText } from './time-text.ts';

const count = z.int().nonnegative();

/** A state is told by how many rows of the plan are in it. */
const counts = z.record(z.enum(rowStates), count).meta({
  description:
    'Trees of the plan by state. back: where it was, and whole. refused: could not be begun. stopped: needs a person. skipped: changed since it was planned. dropped: cancelled before it began.',
});

export const limitsValue = z.object({
  ...{ total: count, per_source: count, per_destination: count, per_partition: count },
  bytes_per_second: count.meta({ description: '0: no limit.' }),
});

export const stopWhenValue = z.object({
  ...{ failed: count, failed_percent: z.number(), deferred: count, latency: z.number() },
});

export const moveValue = z
  .object({
    name: z.string().meta({ description: 'The root of the tree, as user.jdoe.' }),
    from: z.string().meta({ description: 'server!partition' }),
    to: z.string(),
    state: z.enum(['open', 'done', 'back', 'refused', 'stopped']),
    run: z.string().optional(),
    cancelled: z.boolean(),
    attempts: count,
    ...{ octets: count, messages: count },
    step: z.string().meta({ description: 'What was done last, or is being done.' }),
    note: z.string().meta({ description: 'What it waits for, why it failed last, or how it ended.' }),
    ...{ by: z.string(), since: time },
    begun: time.optional(),
    ended: time.optional(),
    held_seconds: z.number().optional().meta({ description: 'For how long mail for it was put off.' }),
  })
  .meta({ id: 'Move', description: 'The last move of a tree.' });

export const runValue = z
  .object({
    run: z.string(),
    plan: z.string().meta({ description: "The plan's hash." }),
    state: z.enum(runStates),
    why: z.string().meta({ description: 'Why it is so; for people.' }),
    ...{ by: z.string(), since: time, ended: time.optional() },
    moves: count,
    octets: count,
    counts,
    octets_moved: count,
    limits: limitsValue,
    windows: z.array(z.string()),
    stop_when: stopWhenValue,
  })
  .meta({ id: 'Run', description: 'A plan that was started.' });

export const wholeRunValue = runValue
  .extend({
    under_way: z.array(moveValue),
    moves_per_minute: z.number().optional(),
    octets_per_second: z.number().optional(),
    eta_seconds: count.optional().meta({ description: 'How long what is left will take, by what ended last.' }),
    ends: count.meta({ description: 'How many ends there have been: where to follow on.' }),
  })
  .meta({ id: 'WholeRun', description: 'A run, what is under way of it, and how long it will take.' });

/** One line of a report. */
export const reportRow = z
  .object({
    name: z.string(),
    from: z.string(),
    to: z.string(),
    state: z.enum(rowStates),
    note: z.string(),
    ...{ octets: count, messages: count },
    ended: time.optional(),
    seconds: z.number().optional().meta({ description: 'From the first look at it to its end.' }),
    held_seconds: z.number().optional(),
  })
  .meta({ id: 'RunRow', description: 'A tree of a plan, and what became of it.' });

export const endValue = z
  .object({
    number: count.meta({ description: 'The how manieth end of the run; what comes after it has higher ones.' }),
    name: z.string(),
    state: z.enum(rowStates),
    note: z.string(),
    octets: count,
    ended: time.optional(),
    held_seconds: z.number().optional(),
  })
  .meta({ id: 'MoveEnd', description: 'A tree that was moved, or not.' });

export type MoveValue = z.output<typeof moveValue>;
export type RunValue = z.output<typeof runValue>;
export type WholeRunValue = z.output<typeof wholeRunValue>;
export type ReportRow = z.output<typeof reportRow>;
export type EndValue = z.output<typeof endValue>;

export function runValueOf(run: Run, { counts, moved }: Progress): RunValue {
  const { id, plan, state, why, by, since, ended, totals, limits, windows, stopWhen } = run;
  return {
    ...{ run: id, plan, state, why, by: readable(by), since: timeText(since) },
    ...(ended !== undefined && { ended: timeText(ended) }),
    ...{ moves: totals.moves, octets: totals.octets, counts: { ...counts }, octets_moved: moved },
    limits: {
      ...{ total: limits.total, per_source: limits.perSource, per_destination: limits.perDestination },
      ...{ per_partition: limits.perPartition, bytes_per_second: limits.bytesPerSecond },
    },
    windows: [...windows],
    stop_when: {
      ...{ failed: stopWhen.failed, failed_percent: stopWhen.failedPercent },
      ...{ deferred: stopWhen.deferred, latency: stopWhen.latency },
    },
  };
}

export function wholeRunValueOf(
  value: RunValue,
  underWay: readonly Move[],
  speed: Speed | undefined,
  ends: number,
): WholeRunValue {
  return {
    ...{ ...value, under_way: underWay.map(moveValueOf), ends },
    ...(speed && {
      moves_per_minute: rounded(speed.movesPerMinute),
      octets_per_second: Math.round(speed.octetsPerSecond),
      eta_seconds: Math.round(speed.eta),
    }),
  };
}

export function moveValueOf({ name, from, to, by, since, run, times, ...rest }: Move): MoveValue {
  const { state, cancelled, attempts, octets, messages, step, note } = rest;
  return {
    ...{ name: readable(name), from: placeText(from), to: placeText(to), state },
    ...(run !== undefined && { run }),
    ...{ cancelled, attempts, octets, messages, step, note, by: readable(by), since: timeText(since) },
    ...(times.begun !== undefined && { begun: timeText(times.begun) }),
    ...(times.ended !== undefined && { ended: timeText(times.ended) }),
    ...heldOf(times),
  };
}

export function reportRowOf({ name, from, to, state, end, ...planned }: RunMove): ReportRow {
  const { note = '', octets = 0, messages = 0, at = 0, times = {} } = end ?? {};
  const { begun } = times;
  const moved = state === 'done';
  return {
    ...{ name: readable(name), from: placeText(from), to: placeText(to), state, note },
    octets: moved && octets > 0 ? octets : planned.octets,
    messages: moved && messages > 0 ? messages : planned.messages,
    ...(at > 0 && { ended: timeText(at) }),
    ...(begun !== undefined && at > 0 && { seconds: rounded((at - begun) / 1000) }),
    ...heldOf(times),
  };
}

export function endValueOf({ name, state, note, octets, at, times }: LoggedEnd, number: number): EndValue {
  return {
    ...{ number, name: readable(name), state, note, octets },
    ...(at > 0 && { ended: timeText(at) }),
    ...heldOf(times),
  };
}

function heldOf({ held, released }: Times): { held_seconds?: number } {
  return held === undefined || released === undefined ? {} : { held_seconds: Math.max(0, released - held) / 1000 };
}

export function placeText({ server, partition }: Place): string {
  return `${readable(server)}!${readable(partition)}`;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
