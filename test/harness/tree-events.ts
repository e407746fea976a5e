// Events of trees for a test: what is said, who worked on it, and whether each tree's came in order.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { existsSync } from 'node:fs';
import type { ApplyTreeEvents, DrainOptions } from '../../services/events/tree-drain.ts';
import { treeProcessor } from '../../services/events/tree-drain.ts';
import { TreeEvents } from '../../services/events/tree-events.ts';
import type { WorkersStart } from '../../services/events/processor.ts';
import { openQueues, workOn } from './events.ts';
import { quietLog } from './quiet-log.ts';

/** The queue whose lists the tests use: it is as good as any other. */
export const queue = 'counts';

export function openTrees(socket: string) {
  const opened = openQueues(socket);
  const trees = new TreeEvents(opened.queues);
  return { ...opened, trees, lists: trees.lists(queue) };
}

/** Workers that work trees' lists off. */
export function workTrees(
  socket: string,
  apply: ApplyTreeEvents,
  options: Partial<DrainOptions> & Partial<WorkersStart> = {},
) {
  const { queues, lists, close } = openTrees(socket);
  const draining = {
    ...{ lists, apply, poison: 'wait' as const, batch: 100, trees: 10, pause: { first: 10, longest: 50 } },
    ...{ lostAfter: 1_000, log: quietLog, ...options },
  };
  const running = queues
    .connected()
    .then(() => workOn(socket, { counts: treeProcessor(draining) }, { grace: 500, ...options }));
  return {
    async stop() {
      await (await running).stop();
      await close();
    },
  };
}

/** What a worker process of a test is told. */
export interface TreeWorkerOptions {
  socket: string;
  /** Where it writes what it applies; shared by all. */
  file: string;
  lostAfter: number;
  batch: number;
  /** How long it works on a batch, in milliseconds, at most; chance says how long. */
  work: number;
  /** It goes on with a batch only when there is a file of this name. */
  gate?: string;
}

/**
 * Writes what is applied to a file that all workers share: O_APPEND puts each batch behind the one before, whoever wrote it.
 * A worker that is killed in the middle of it leaves a line without its end mark, which counts for nothing.
 */
export function writing(descriptor: number, options: Pick<TreeWorkerOptions, 'work' | 'gate'>): ApplyTreeEvents {
  return async ({ tree, events }) => {
    writeSync(descriptor, `\nbegins ${process.pid} ${tree} .`);
    const pause = () => (options.work > 0 ? sleep((Math.random() * options.work) / 2) : undefined);
    await pause();
    while (options.gate !== undefined && !existsSync(options.gate)) await sleep(5);
    writeSync(descriptor, events.map(({ body }) => `\napplied ${process.pid} ${tree} ${body} .`).join(''));
    // Applied, and not yet trimmed: whoever is killed here leaves it to be applied again.
    await pause();
  };
}

export interface Applied {
  pid: number;
  tree: string;
  number: number;
}

export function appliedIn(text: string): Applied[] {
  return Array.from(text.matchAll(/^applied (\d+) (\S+) (\d+) \.$/gm), ([, pid, tree = '', number]) => ({
    ...{ pid: Number(pid), tree, number: Number(number) },
  }));
}

/**
 * Each tree's events are numbered from 1. All must have been applied, the first time in their order; after a crash they may
 * come again from where the list begins, and then again in order. Gives how many came again, and how often that began.
 */
export function assertInOrder(applied: readonly Applied[], expected: ReadonlyMap<string, number>) {
  const seen = new Map<string, { highest: number; last: number }>();
  let repeated = 0;
  let restarts = 0;
  for (const { tree, number } of applied) {
    const { highest, last } = seen.get(tree) ?? { highest: 0, last: 0 };
    assert.ok(number <= highest + 1, `${tree}: ${number} was applied when ${highest} was the highest`);
    if (number <= highest) repeated += 1;
    if (number !== last + 1) restarts += 1;
    seen.set(tree, { highest: Math.max(highest, number), last: number });
  }
  for (const [tree, count] of expected) assert.equal(seen.get(tree)?.highest, count, `${tree}: events were lost`);
  assert.equal(seen.size, expected.size);
  return { repeated, restarts };
}
