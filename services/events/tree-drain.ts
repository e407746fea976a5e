// Has trees' lists of events worked off by whoever hears a bell: each in order, in batches, by one worker at a time.
import type { EventLog, Outcome } from './processor.ts';
import type { TreeEvent, TreeLists } from './tree-lists.ts';
import { TreeRun } from './tree-run.ts';

export interface TreeWork {
  tree: string;
  /** In order, and at least one. */
  events: readonly TreeEvent[];
  /** Aborted when another worker may have the tree, or this one is to stop. */
  signal: AbortSignal;
  /** Only while Redis has this word at this key nobody else works on the tree: for whoever writes there by a script. */
  fence: { key: string; token: string };
}

/** Applies events of a tree; to throw is to have them come again. It may see the same events again, and be ended at any line. */
export type ApplyTreeEvents = (work: TreeWork) => Promise<void>;

export interface DrainOptions {
  lists: TreeLists;
  apply: ApplyTreeEvents;
  /**
   * What becomes of an event that fails again and again. `wait`: its tree waits, for what comes after makes no sense without
   * it. A number: after so many attempts it is set aside with the reason, and its tree goes on.
   */
  poison: 'wait' | number;
  /** How many events of a tree are applied at once, at most. */
  batch: number;
  /** How many trees a run works on at a time: each waits for none of the others. Default 1. */
  trees?: number | undefined;
  /** How long a worker may be silent before another one may take its tree, in milliseconds. */
  lostAfter: number;
  /** The pause after the first failure, in milliseconds, doubled with each one after it; and the longest. */
  pause: { first: number; longest: number };
  log: Pick<EventLog, 'warn' | 'error'>;
}

/** The processor of a queue whose jobs are bells of trees. */
export function treeProcessor(options: DrainOptions) {
  return ({ tree }: { tree: string }, signal: AbortSignal): Promise<Outcome> =>
    new TreeRun(options, signal).outcome(tree);
}
