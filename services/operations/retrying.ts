// Has failed moves of a run tried again: all of them, and the run goes on; or one alone, and a run that is held up stays so.
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { failedStates, isHeldUp, retried, retriedAlone } from '../moves/run.ts';
import type { Run } from '../moves/run.ts';
import type { KeptRun, RunStore } from '../moves/run-store.ts';
import { Refusal } from './refusal.ts';

/** How often somebody else may have changed the run in between before that is told. */
export const mostTries = 10;

export function changesTooFast(id: string): Refusal {
  return new Refusal('unavailable', `run ${id} changes too fast: try again`);
}

/** Rejects with a Refusal where there is no such run. */
export async function found(id: string, runs: Pick<RunStore, 'read'>): Promise<KeptRun> {
  const kept = await runs.read(id);
  if (!kept) throw new Refusal('missing', `there is no run ${readable(bytesFromText(id))}`);
  return kept;
}

/** The run as it is then, and how many rows wait again. Rejects with a Refusal. */
export async function retryRun(
  id: string,
  name: Bytes | undefined,
  by: string,
  runs: RunStore,
): Promise<{ run: Run; again: number }> {
  const index = name === undefined ? undefined : await indexIn(id, name, runs);
  const alone = index === undefined ? undefined : await retryAlone(id, index, runs);
  if (alone) return { run: alone, again: 1 };
  const again = await retryRows(id, index, runs);
  for (let tries = 0; tries < mostTries; tries += 1) {
    const kept = await found(id, runs);
    const next = retried(kept.run, `failed moves are tried again by ${by}`, (await runs.progress(kept.run)).counts);
    if (!next) throw cancelled(id);
    const now = await runs.turn(kept, next);
    if (now) return { run: now.run, again };
  }
  throw changesTooFast(id);
}

async function indexIn(id: string, name: Bytes, runs: RunStore): Promise<number> {
  await found(id, runs);
  const index = await runs.indexOf(id, name);
  if (index === undefined) throw new Refusal('missing', `run ${id} has no ${readable(name)}`);
  return index;
}

/** Undefined where the run is not held up. */
async function retryAlone(id: string, index: number, runs: RunStore): Promise<Run | undefined> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const kept = await found(id, runs);
    if (!isHeldUp(kept.run)) return undefined;
    const [row] = await runs.rows(kept.run, index, 1);
    if (row && !failedStates.includes(row.state)) throw notFailed(id, readable(row.name));
    // The run first: whoever is interrupted then can ask once more.
    const now = await runs.turn(kept, retriedAlone(kept.run, index));
    const some = now && (await runs.again(now, index));
    if (now && some?.again === 1) return now.run;
  }
  throw changesTooFast(id);
}

/** Has rows wait again; gives how many. */
async function retryRows(id: string, only: number | undefined, runs: RunStore): Promise<number> {
  let again = 0;
  for (let tries = 0; tries < mostTries; tries += 1) {
    const kept = await found(id, runs);
    if (kept.run.state === 'cancelled') throw cancelled(id);
    if (await runs.isSuperseded(kept.run)) throw new Refusal('unsafe', `the plan of run ${id} has a newer run`);
    const some = await runs.again(kept, only);
    again += some.again;
    if (!some.whole) continue;
    // Whoever had them tried again was interrupted before the run was told: they wait in a run that is over.
    const { counts } = await runs.progress(kept.run);
    if (again > 0 || (only === undefined && kept.run.state === 'done' && counts.waiting > 0)) return again;
    const [row] = only === undefined ? [] : await runs.rows(kept.run, only, 1);
    throw notFailed(id, row && readable(row.name));
  }
  throw changesTooFast(id);
}

function notFailed(id: string, name: string | undefined): Refusal {
  return new Refusal(
    'unsafe',
    `run ${id}: ${name === undefined ? 'nothing of it has failed' : `${name} has not failed`}`,
  );
}

/** Its plan would be refused, for what has moved by then is changed. */
function cancelled(id: string): Refusal {
  return new Refusal('unsafe', `run ${id} was cancelled: plan anew what is left, rookery move plan`);
}
