// A run: a plan that was started. What it says of itself, what it may become, and when it stops by itself.
import type { Bytes } from '../directory/entry.ts';
import type { Place, Times } from './move.ts';

/**
 * `running`: its moves are begun as limits and windows allow. `paused`: by an operator. `stopped`: by itself, too much went
 * wrong. In both nothing is begun, and what has begun ends. `cancelled`: nothing is begun any more, and what is before its cut
 * goes back. `done`: every move has ended, well or not.
 */
export const runStates = ['running', 'paused', 'stopped', 'cancelled', 'done'] as const;
export type RunState = (typeof runStates)[number];

/** How many moves may be under way at once, those of all runs counted; octets a second, 0 for no such limit. */
export interface Limits {
  total: number;
  perSource: number;
  perDestination: number;
  /** Of one partition, be it read or written. */
  perPartition: number;
  bytesPerSecond: number;
}

/** How far limits may go, wherever they are given. */
export const mostAtATime = 10_000;
export const mostBytesPerSecond = 1_000_000_000_000;

/** Bounds that stop a run by themselves; 0: not looked at. */
export interface StopWhen {
  /** So many moves have failed since it was started or resumed. */
  failed: number;
  /** So many of a hundred that ended have. */
  failedPercent: number;
  /** So many messages a minute were put off because their mailbox is moved. */
  deferred: number;
  /** Backends take longer than so many seconds to answer. */
  latency: number;
}

/** What a plan wants of one tree. */
export interface RunRow {
  name: Bytes;
  from: Place;
  to: Place;
  /** As it was planned; 0: not known. */
  octets: number;
  messages: number;
}

/**
 * What has become of a row: `waiting`, `moving` (it is under way), the ends of a move (move.ts), `skipped` (it had changed
 * since it was planned), `dropped` (it was cancelled before it began).
 */
export const rowStates = ['waiting', 'moving', 'done', 'back', 'refused', 'stopped', 'skipped', 'dropped'] as const;
export type RowState = (typeof rowStates)[number];

/** Ends after which a row is worth another try: `rookery move retry`. */
export const failedStates: readonly RowState[] = ['back', 'refused', 'stopped'];

/** How a row has ended, or why it was never begun. */
export interface RowEnd {
  state: Exclude<RowState, 'waiting' | 'moving'>;
  /** For people. */
  note: string;
  /** In milliseconds since 1970. */
  at: number;
  octets: number;
  messages: number;
  times: Times;
}

/** A row with its place in the plan, and all that is known of it. */
export interface RunMove extends RunRow {
  index: number;
  state: RowState;
  end?: RowEnd;
}

export interface Totals {
  moves: number;
  octets: number;
}

export interface Run {
  id: string;
  /** The plan's; two runs of the same one are not under way at once. */
  plan: string;
  totals: Totals;
  by: Bytes;
  /** In milliseconds since 1970. */
  since: number;
  state: RunState;
  /** Why it is not running, or is waiting; for people. */
  why: string;
  limits: Limits;
  /** As operators write them (windows.ts); none: at any time. */
  windows: readonly string[];
  stopWhen: StopWhen;
  /** Failures and ends that count no more towards `stopWhen`: an operator has seen them, and has it go on. */
  forgiven: { failed: number; ended: number };
  /** Rows, by their index, that an operator has tried again while it is paused or stopped: these begin though nothing else does. */
  alone?: readonly number[];
  /** When nothing was under way any more, in milliseconds since 1970. */
  ended?: number;
}

export type Counts = Readonly<Record<RowState, number>>;

/** How far a run is. */
export interface Progress {
  counts: Counts;
  /** Octets of rows that are done. */
  moved: number;
  /** Octets of rows that have ended, as they were planned: with the totals, what is left. */
  passed: number;
}

/** What is back is so by somebody's word, and has not failed. */
export function failedOf(counts: Counts): number {
  return counts.refused + counts.stopped;
}

/** Moves that have ended; what was never begun is not among them. */
export function endedOf(counts: Counts): number {
  return counts.done + counts.back + failedOf(counts);
}

export function isOver({ state }: Pick<Run, 'state'>): boolean {
  return state === 'done' || state === 'cancelled';
}

/** What is known of the world outside, each over the last minute; undefined: nobody has told. */
export interface Weather {
  /** Messages put off because their mailbox is moved. */
  deferred?: number | undefined;
  /** The slowest backend by its mean answer, in seconds. */
  slowest?: { server: string; seconds: number } | undefined;
}

/** A percentage of fewer ends than this says nothing. */
const leastEnds = 20;

/** Why a run has to stop by itself; undefined: it need not. */
export function stopReason(
  { stopWhen, forgiven }: Pick<Run, 'stopWhen' | 'forgiven'>,
  counts: Counts,
  { deferred, slowest }: Weather,
): string | undefined {
  const failed = failedOf(counts) - forgiven.failed;
  const ended = endedOf(counts) - forgiven.ended;
  if (stopWhen.failed > 0 && failed >= stopWhen.failed)
    return `${failed} moves have failed; ${stopWhen.failed} stop it`;
  if (stopWhen.failedPercent > 0 && ended >= leastEnds && failed * 100 >= stopWhen.failedPercent * ended)
    return `${failed} of ${ended} moves have failed; ${stopWhen.failedPercent} % stop it`;
  if (stopWhen.deferred > 0 && deferred !== undefined && deferred >= stopWhen.deferred)
    return `${deferred} messages were put off for moves within a minute; ${stopWhen.deferred} stop it`;
  if (stopWhen.latency > 0 && slowest && slowest.seconds > stopWhen.latency)
    return `${slowest.server} takes ${slowest.seconds.toFixed(1)} s to answer; more than ${stopWhen.latency} s stop it`;
  return undefined;
}

/** What an operator may have a run do, or it does itself. */
export type Turn =
  | { to: 'paused'; why: string }
  | { to: 'stopped'; why: string }
  | { to: 'running'; why: string }
  | { to: 'cancelled'; why: string }
  | { to: 'done'; why: string };

const allowed: Readonly<Record<Turn['to'], readonly RunState[]>> = {
  paused: ['running', 'stopped'],
  stopped: ['running'],
  running: ['paused', 'stopped'],
  cancelled: ['running', 'paused', 'stopped'],
  done: ['running', 'paused', 'stopped'],
};

/** The run after a turn; undefined where it can't take it as it is. What had failed by then is forgiven to one that goes on. */
export function turned(run: Run, { to, why }: Turn, counts: Counts): Run | undefined {
  if (!allowed[to].includes(run.state)) return undefined;
  const { alone: _, ...rest } = run;
  return { ...rest, state: to, why, ...(to === 'running' && { forgiven: forgivenIn(counts) }) };
}

/** Whether it stands still, and may go on. */
export function isHeldUp({ state }: Pick<Run, 'state'>): boolean {
  return state === 'paused' || state === 'stopped';
}

/** A run that is held up, and stays so, but for this row. */
export function retriedAlone(run: Run, index: number): Run {
  return { ...run, alone: [...new Set([...(run.alone ?? []), index])] };
}

/** A run some of whose rows wait again. One that was paused stays so; undefined where it was cancelled. */
export function retried(run: Run, why: string, counts: Counts): Run | undefined {
  if (run.state === 'cancelled') return undefined;
  const { ended, alone, ...rest } = run;
  const forgiven = forgivenIn(counts);
  return run.state === 'paused' ? { ...rest, forgiven } : { ...rest, state: 'running', why, forgiven };
}

function forgivenIn(counts: Counts): Run['forgiven'] {
  return { failed: failedOf(counts), ended: endedOf(counts) };
}
