// Whether there is anything left to do: for workers that are started for what waits, and end with it.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backlog } from './backlog.ts';
import type { RunningWorkers } from './processor.ts';
import type { QueueName } from './queues.ts';

export interface DrainingOptions {
  backlog: Pick<Backlog, 'depth'>;
  running: Pick<RunningWorkers, 'queues' | 'busy'>;
  /** How long the queues must have been empty, in milliseconds: a moment in which whoever works on them may ring again. */
  idle: number;
  /** How long is looked at most, in milliseconds. */
  within: number;
}

export interface Draining {
  /** Resolves with what has come to an end, for people. Never rejects. */
  ended: Promise<string>;
  /** Looks no more. */
  stop(): void;
}

/** How often the queues are looked at, in milliseconds. */
const lookEvery = 100;

/**
 * Looks until nothing has waited and nothing run here for a while, or the time is over. What other workers run is theirs,
 * and what is put off for later is for those who are started then. A Redis that does not answer has not said that its
 * queues are empty.
 */
export function drained(options: DrainingOptions): Draining {
  const stopped = new AbortController();
  return {
    ended: look(options, stopped.signal),
    stop: () => {
      stopped.abort();
    },
  };
}

async function look({ backlog, running, idle, within }: DrainingOptions, signal: AbortSignal): Promise<string> {
  const start = performance.now();
  let emptySince: number | undefined;
  while (!signal.aborted && performance.now() - start < within) {
    const asked = performance.now();
    const left = await leftIn(running.queues, backlog);
    emptySince = left === 0 && running.busy === 0 ? (emptySince ?? asked) : undefined;
    if (emptySince !== undefined && performance.now() - emptySince >= idle) return 'the queues are empty';
    await sleep(lookEvery, undefined, { signal }).catch(() => undefined);
  }
  return signal.aborted ? 'asked to stop' : 'the deadline is near';
}

async function leftIn(queues: readonly QueueName[], backlog: Pick<Backlog, 'depth'>): Promise<number> {
  try {
    const depths = await Promise.all(queues.map((queue) => backlog.depth(queue)));
    return depths.reduce((sum, { waiting, due }) => sum + waiting + due, 0);
  } catch {
    return Infinity;
  }
}
