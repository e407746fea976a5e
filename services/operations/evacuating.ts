// Having everybody moved out of a backend: the plan is made, and started as a run.
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import { treesText } from '../moves/plan.ts';
import { planLines } from '../moves/plan-text.ts';
import type { RunStore } from '../moves/run-store.ts';
import type { MovePlanning } from './move-planning.ts';
import type { MoveOperations } from './move-operations.ts';
import { Refusal } from './refusal.ts';

export interface EvacuationMeans {
  planning: MovePlanning;
  moves: Pick<MoveOperations, 'start'>;
  runs: Pick<RunStore, 'list' | 'lines'>;
}

/** How many runs are looked at: those that are not over are among the newest. */
const mostRuns = 1000;

/** How many that cannot be moved are named. */
const mostNamed = 3;

/**
 * Gives the run; undefined where there is nobody to move. Rejects with a Refusal, as unsafe where another run moves trees from
 * there, or nobody of those who are there can be moved.
 */
export async function evacuation(
  server: string,
  by: string,
  { planning, moves, runs }: EvacuationMeans,
): Promise<string | undefined> {
  const before = (await openRunsAt(server, runs)).find(({ from }) => from);
  if (before)
    throw new Refusal('unsafe', `run ${before.id} moves trees from ${server}, and is not over: watch it, or cancel it`);
  const plan = await planning.plan({ users: [], evacuate: bytesFromText(server), to: [], sizes: true, limits: {} }, by);
  if (plan.moves.length > 0) return (await moves.start([...planLines(plan)].join('\n'), {}, by)).run;
  if (plan.leftOut.length === 0) return undefined;
  const named = plan.leftOut.slice(0, mostNamed).map(({ name, why }) => `${readable(name)}: ${why}`);
  const what = `${server} drains, but none of ${treesText(plan.leftOut.length)} can be moved`;
  throw new Refusal('unsafe', `${what} (${named.join('; ')})`);
}

/** Runs that are not over and have trees to move from a server, or to it. */
export async function openRunsAt(
  server: string,
  runs: Pick<RunStore, 'list' | 'lines'>,
): Promise<{ id: string; from: boolean }[]> {
  const name = bytesFromText(server);
  const open = (await runs.list(mostRuns)).filter(({ ended }) => ended === undefined);
  const found = await Promise.all(
    open.map(async ({ id }) => {
      const lines = await runs.lines(id);
      const from = lines.some((line) => line.from.server === name);
      return from || lines.some((line) => line.to.server === name) ? [{ id, from }] : [];
    }),
  );
  return found.flat();
}
