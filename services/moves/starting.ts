// Starting a plan: refused where the world has changed too much since it was made; single trees that have changed are skipped.
import { readable } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import { unfitMove, unfitPlaces } from './moving.ts';
import { changedSince, treesText } from './plan.ts';
import type { Drift, Plan, PlannedMove } from './plan.ts';
import { rowsFor } from './plan-reading.ts';
import { isOver } from './run.ts';
import type { Limits, RowEnd, Run, StopWhen } from './run.ts';
import type { NewRow } from './run-rows.ts';
import type { RunStore } from './run-store.ts';
import { windowOf, windowWords } from './windows.ts';

/** A plan that is not started; the message says why. `there`: it has a run. */
export class UnfitRun extends Error {
  override readonly name = 'UnfitRun';
  readonly is: 'changed' | 'there' | 'unfit';

  constructor(is: 'changed' | 'there' | 'unfit', message: string) {
    super(message);
    this.is = is;
  }
}

/** What stands in the configuration. */
export interface RunSettings {
  windows: readonly string[];
  stopWhen: StopWhen;
  /** How many of a hundred trees of a plan may have changed since it was made. */
  drift: number;
}

export interface StartingOptions {
  runs: Pick<RunStore, 'start' | 'ofPlan'>;
  directory: Pick<Directory, 'trees' | 'snapshot' | 'tree'>;
  registry: Registry;
  settings: RunSettings;
  /** Has a worker conduct the run. */
  ring: (run: string) => void;
  /** Milliseconds since 1970. */
  clock: () => number;
  newId: () => string;
}

/** What is asked of a run, where the plan or the configuration does not say it as it is wanted. */
export interface RunWish {
  limits?: Partial<Limits>;
  windows?: readonly string[];
  stopWhen?: Partial<StopWhen>;
  /** Though the plan has a run that is over. */
  again?: boolean;
}

/** What starting a plan would do, by the rows as they are now. */
export interface Checked {
  drift: Drift;
  /** All of the plan; those that are skipped have an end. */
  rows: NewRow[];
  /** Why it would not be started. */
  refused?: string;
}

/** Looks, and starts nothing. Rejects when Redis, or the directory, does not answer. */
export async function checkRun(
  plan: Plan,
  hash: string,
  wish: RunWish,
  options: Pick<StartingOptions, 'directory' | 'registry' | 'settings' | 'clock'> & { runs: Pick<RunStore, 'ofPlan'> },
): Promise<Checked> {
  const { settings, runs } = options;
  const looked = await lookAtRows(plan, options);
  // That it has a run first: whoever starts a plan a second time is told so, and not that its run has changed the world.
  const refused =
    unfitText(plan, wish, settings) ?? (await runText(hash, wish, runs)) ?? changedText(looked.drift, settings);
  return { ...looked, ...(refused !== undefined && { refused }) };
}

/** Starts the plan whose hash this is. Rejects with UnfitRun, or when Redis, or the directory, does not answer. */
export async function startRun(
  plan: Plan,
  hash: string,
  wish: RunWish,
  by: Bytes,
  options: StartingOptions,
): Promise<Run> {
  const { runs, settings, clock, newId, ring } = options;
  const windows = wish.windows ?? settings.windows;
  const unfit = unfitText(plan, wish, settings);
  if (unfit !== undefined) throw new UnfitRun('unfit', unfit);
  const there = await runText(hash, wish, runs);
  if (there !== undefined) throw new UnfitRun('there', there);
  const { drift, rows } = await lookAtRows(plan, options);
  const changed = changedText(drift, settings);
  if (changed !== undefined) throw new UnfitRun('changed', changed);
  const run: Run = {
    ...{ id: newId(), plan: hash, by, since: clock(), state: 'running', why: startedText(by, rows, drift) },
    totals: { moves: rows.length, octets: rows.reduce((sum, { octets }) => sum + octets, 0) },
    limits: { ...plan.limits, ...wish.limits },
    ...{ windows, stopWhen: { ...settings.stopWhen, ...wish.stopWhen }, forgiven: { failed: 0, ended: 0 } },
  };
  const started = await runs.start(run, rows, wish.again ?? false);
  if (started.is === 'there') throw new UnfitRun('there', thereText(started.run));
  ring(started.run.id);
  return started.run;
}

/** Why it can be no run, whatever the directory says. */
function unfitText(plan: Plan, wish: RunWish, settings: RunSettings): string | undefined {
  const unread = (wish.windows ?? settings.windows).find((text) => windowOf(text) === undefined);
  if (unread !== undefined) return `'${unread}' is no window of time: ${windowWords}`;
  return plan.moves.length === 0 ? 'the plan moves nothing' : undefined;
}

/** Which run of the plan stands in the way. */
async function runText(hash: string, { again }: RunWish, runs: Pick<RunStore, 'ofPlan'>): Promise<string | undefined> {
  const there = await runs.ofPlan(hash);
  return there && !(again && isOver(there)) ? thereText(there) : undefined;
}

function changedText(drift: Drift, { drift: most }: RunSettings): string | undefined {
  return drift.percent > most ? driftText(drift, most) : undefined;
}

async function lookAtRows(
  plan: Plan,
  { directory, registry, clock }: Pick<StartingOptions, 'directory' | 'registry' | 'clock'>,
): Promise<{ drift: Drift; rows: NewRow[] }> {
  const drift = changedSince(plan, await rowsFor(plan, directory));
  return { drift, rows: rowsOf(plan, drift, registry, clock()) };
}

function rowsOf({ moves }: Plan, drift: Drift, registry: Registry, now: number): NewRow[] {
  const changed = new Map(drift.rows.map(({ name, why }) => [name, why]));
  return moves.map(({ name, from, to, octets, messages = 0 }: PlannedMove) => {
    const why = changed.get(name) ?? unfitMove({ name }) ?? unfitPlaces(from, to, registry);
    const end: RowEnd | undefined =
      why === undefined ? undefined : { state: 'skipped', note: why, at: now, octets: 0, messages: 0, times: {} };
    return { name, from, to, octets, messages, ...(end && { end }) };
  });
}

/** How many changed trees are named. */
const mostNamed = 5;

function driftText({ rows, percent }: Drift, most: number): string {
  const named = rows.slice(0, mostNamed).map(({ name, why }) => `${readable(name)}: ${why}`);
  const more = rows.length > mostNamed ? [`and ${rows.length - mostNamed} more`] : [];
  const what = `${treesText(rows.length)} ${rows.length === 1 ? 'has' : 'have'} changed since the plan was made, ${percent.toFixed(1)} % of it; moves.plan_drift is ${most} %`;
  return `${what}. Make it anew: rookery move plan\n  ${[...named, ...more].join('\n  ')}`;
}

function startedText(by: Bytes, rows: readonly NewRow[], drift: Drift): string {
  const skipped = rows.filter(({ end }) => end).length;
  const came = drift.rows.filter(({ kind }) => kind === 'came').length;
  return [
    `started by ${readable(by)}`,
    ...(skipped > 0 ? [`${skipped} have changed since they were planned, and are skipped`] : []),
    ...(came > 0 ? [`${came} have come since to a server that is to be emptied: plan them anew`] : []),
  ].join('; ');
}

function thereText({ id, state, by, since }: Run): string {
  const is = `the plan has a run: ${id}, ${state}, started by ${readable(by)} at ${new Date(since).toISOString()}`;
  return isOver({ state }) ? `${is}. To start it once more: --again` : is;
}
