// Follows a run: each end, and how far it is when that has changed, until it is over.
import { setTimeout as pause } from 'node:timers/promises';
import type { MoveOperations } from './move-operations.ts';
import type { EndValue, WholeRunValue } from './run-value.ts';

export type RunNews = { is: 'end'; end: EndValue } | { is: 'progress'; run: WholeRunValue };

/** How many ends are asked for at once. */
const page = 500;

/** Whether nothing more will come of it by itself. */
export function isAtRest({ state, counts }: Pick<WholeRunValue, 'state' | 'counts'>): boolean {
  return state !== 'running' && counts.moving === 0;
}

export function isOverValue({ ended }: Pick<WholeRunValue, 'ended'>): boolean {
  return ended !== undefined;
}

/**
 * What has ended since `after` ends, and the run whenever it has changed; the last news is the run as it is over. `every`: how
 * often it is looked at, in milliseconds. Ends early on `signal`. Rejects with a Refusal.
 */
export async function* followRun(
  { show, ends }: Pick<MoveOperations, 'show' | 'ends'>,
  id: string,
  { after = 0, every, signal }: { after?: number; every: number; signal?: AbortSignal },
): AsyncGenerator<RunNews> {
  let told = '';
  let number = after;
  while (signal?.aborted !== true) {
    // The run first: of a run that is over all ends are there then.
    const run = await show(id);
    while (number < run.ends) {
      const some = await ends(id, number, page);
      for (const end of some) yield { is: 'end', end };
      number += some.length;
      if (some.length === 0) break;
    }
    const text = JSON.stringify({ ...run, eta_seconds: 0, moves_per_minute: 0, octets_per_second: 0 });
    if (text !== told) yield { is: 'progress', run };
    told = text;
    if (isOverValue(run)) return;
    await pause(every, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}
