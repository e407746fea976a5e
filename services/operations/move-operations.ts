// What an operator asks of moves: to start a plan, how its run goes, to hold it up or to have it go on, and what came of it.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { MoveStore } from '../moves/move-store.ts';
import { readPlan, UnfitPlanFile } from '../moves/plan-file.ts';
import { planHash } from '../moves/plan-text.ts';
import { turned } from '../moves/run.ts';
import type { Run, Turn } from '../moves/run.ts';
import { recentEnds, speedOf } from '../moves/run-eta.ts';
import type { RunStore } from '../moves/run-store.ts';
import { checkRun, UnfitRun, startRun } from '../moves/starting.ts';
import type { Checked, RunWish, StartingOptions } from '../moves/starting.ts';
import { Refusal } from './refusal.ts';
import { changesTooFast, found, mostTries, retryRun } from './retrying.ts';
import { endValue, endValueOf, moveValueOf, reportRow, reportRowOf, runValue, runValueOf } from './run-value.ts';
import { wholeRunValueOf } from './run-value.ts';
import type { EndValue, MoveValue, ReportRow, RunValue, WholeRunValue } from './run-value.ts';

export const runsAnswer = z.object({ runs: z.array(runValue) });
export const reportAnswer = z.object({
  rows: z.array(reportRow),
  next: z.int().optional().meta({ description: 'Where the next page begins; left out at the end.' }),
});
export const endsAnswer = z.object({ ends: z.array(endValue) });
export const retryAnswer = z.object({ run: runValue, again: z.int() });

/** How many trees that are skipped, or have come, are named. */
const mostChanged = 1000;

const changedTree = z.object({ name: z.string(), why: z.string() });

export const checkedValue = z
  .object({
    moves: z.int().meta({ description: 'Trees that would be moved.' }),
    octets: z.int(),
    skipped: z.int().meta({ description: 'Trees of the plan that would not be moved, for they have changed since.' }),
    skipped_trees: z.array(changedTree).meta({ description: `At most ${mostChanged} of them.` }),
    came: z
      .int()
      .meta({ description: 'Trees that have come since to a server that is to be emptied: not in the plan.' }),
    came_trees: z.array(changedTree).meta({ description: `At most ${mostChanged} of them.` }),
    percent: z.number().meta({ description: 'How much of the plan has changed.' }),
    plan_drift: z.number().meta({ description: 'Of how much it would be refused.' }),
    refused: z.string().optional().meta({ description: 'Why it would not be started.' }),
  })
  .meta({ id: 'CheckedPlan', description: 'What starting a plan would do now.' });

export type CheckedValue = z.output<typeof checkedValue>;

/** All reject with a Refusal: missing where there is no such run, unsafe where it can't be as it is. */
export interface MoveOperations {
  /** Starts the plan in a file's text. Refused as data where it is none, unsafe where it has a run or too much has changed. */
  start(plan: string, wish: RunWish, by: string): Promise<RunValue>;
  /** What that would do now; nothing is started. Refused as data where it is no plan. */
  check(plan: string, wish: RunWish): Promise<CheckedValue>;
  /** The newest first. */
  list(most: number): Promise<RunValue[]>;
  show(run: string): Promise<WholeRunValue>;
  /** The last move of a name. */
  of(name: Bytes): Promise<MoveValue>;
  /** Begins nothing more, and lets what has begun end. */
  pause(run: string, by: string): Promise<RunValue>;
  resume(run: string, by: string): Promise<RunValue>;
  /** Begins nothing more, for good; what is before its cut goes back. */
  cancel(run: string, by: string): Promise<RunValue>;
  /** Has what failed tried again: all, and the run goes on; or one tree, and a run that is held up stays so. */
  retry(run: string, name: Bytes | undefined, by: string): Promise<{ run: RunValue; again: number }>;
  /** A page of the rows of the plan, in its order. */
  report(run: string, from: number, most: number): Promise<z.output<typeof reportAnswer>>;
  /** What has ended since so many ends, in order. */
  ends(run: string, after: number, most: number): Promise<EndValue[]>;
}

export interface OperatorsMoves {
  runs: RunStore;
  moves: Pick<MoveStore, 'read' | 'readAll'>;
  /** What a plan is started with. */
  starting: Omit<StartingOptions, 'runs'>;
  /** Has a worker conduct a run. */
  ring: (run: string) => void;
  clock: () => number;
}

/** What an operator asks for, as he calls it. */
const turns: Record<Turn['to'], string> = {
  ...{ running: 'resumed', paused: 'paused', stopped: 'stopped', cancelled: 'cancelled', done: 'done' },
};

export function moveOperations(parts: OperatorsMoves): MoveOperations {
  const { runs, moves, ring } = parts;
  const valueOf = async (run: Run) => runValueOf(run, await runs.progress(run));
  const turn = async (id: string, wanted: Turn): Promise<RunValue> => {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const kept = await found(id, runs);
      const { counts } = await runs.progress(kept.run);
      const next = turned(kept.run, wanted, counts);
      if (!next) throw new Refusal('unsafe', `run ${id} is ${kept.run.state}, and can't be ${turns[wanted.to]}`);
      const now = await runs.turn(kept, next);
      if (!now) continue;
      ring(id);
      return valueOf(now.run);
    }
    throw changesTooFast(id);
  };
  return {
    async start(text, wish, by) {
      const plan = await fit(() => readPlan(text));
      const options = { ...parts.starting, runs };
      return valueOf(await fit(() => startRun(plan, planHash(plan), wish, bytesFromText(by), options)));
    },
    async check(text, wish) {
      const plan = await fit(() => readPlan(text));
      const { settings } = parts.starting;
      return checkedOf(await checkRun(plan, planHash(plan), wish, { ...parts.starting, runs }), settings.drift);
    },
    list: async (most) => Promise.all((await runs.list(most)).map(valueOf)),
    show: (id) => whole(id, parts),
    async of(name) {
      const kept = await moves.read(name);
      if (!kept) throw new Refusal('missing', `${readable(name)}: no move is known`);
      return moveValueOf(kept.move);
    },
    pause: (id, by) => turn(id, { to: 'paused', why: `paused by ${by}` }),
    resume: (id, by) => turn(id, { to: 'running', why: `resumed by ${by}` }),
    cancel: (id, by) => turn(id, { to: 'cancelled', why: `cancelled by ${by}` }),
    async retry(id, name, by) {
      const { run, again } = await retryRun(id, name, by, runs);
      ring(id);
      return { run: await valueOf(run), again };
    },
    async report(id, from, most) {
      const { run } = await found(id, runs);
      const rows: ReportRow[] = (await runs.rows(run, from, most)).map(reportRowOf);
      const next = from + most;
      return { rows, ...(next < run.totals.moves && { next }) };
    },
    async ends(id, after, most) {
      await found(id, runs);
      return (await runs.ends(id, after, most)).map((end, at) => endValueOf(end, after + at + 1));
    },
  };
}

function checkedOf({ drift, rows, refused }: Checked, most: number): CheckedValue {
  const going = rows.filter(({ end }) => !end);
  const skipped = rows.flatMap(({ name, end }) => (end ? [{ name: readable(name), why: end.note }] : []));
  const came = drift.rows.filter(({ kind }) => kind === 'came');
  const told = came.slice(0, mostChanged).map(({ name, why }) => ({ name: readable(name), why }));
  return {
    ...{ moves: going.length, octets: going.reduce((sum, { octets }) => sum + octets, 0) },
    ...{ skipped: skipped.length, skipped_trees: skipped.slice(0, mostChanged) },
    ...{ came: came.length, came_trees: told },
    ...{ percent: drift.percent, plan_drift: most, ...(refused !== undefined && { refused }) },
  };
}

async function whole(id: string, { runs, moves, clock }: OperatorsMoves): Promise<WholeRunValue> {
  const { run } = await found(id, runs);
  const [progress, { underWay }, ends] = await Promise.all([runs.progress(run), runs.pace(), runs.endCount(id)]);
  const ours = underWay.filter((one) => one.run === id);
  const open = await moves.readAll(ours.map(({ name }) => name));
  const recent = await runs.ends(id, Math.max(0, ends - recentEnds), recentEnds);
  const { counts, passed } = progress;
  const left = { moves: counts.waiting + counts.moving, octets: Math.max(0, run.totals.octets - passed) };
  const speed = run.state === 'running' && left.moves > 0 ? speedOf(recent, left, clock()) : undefined;
  return wholeRunValueOf(
    runValueOf(run, progress),
    open.filter((move) => move.run === id),
    speed,
    ends,
  );
}

async function fit<T>(act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UnfitPlanFile) throw new Refusal('data', error.message, { cause: error });
    if (error instanceof UnfitRun)
      throw new Refusal(error.is === 'unfit' ? 'data' : 'unsafe', error.message, { cause: error });
    throw error;
  }
}
