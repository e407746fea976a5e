// A backend that is emptied: run after run of its trees is moved out, until it is empty or a run has moved nothing. How far it is.
import type { Bytes } from '../directory/entry.ts';
import type { LeftOut } from './plan.ts';

/**
 * `moving`: a run is under way, or about to begin. `waiting`: nothing of what is left can be moved now; it is looked at again.
 * `empty`: nothing is there; whoever comes is moved, too. `stuck`: a run has moved nothing, or was cancelled; a person is called.
 */
export const emptyingStates = ['moving', 'waiting', 'empty', 'stuck'] as const;

export interface Emptying {
  server: Bytes;
  state: (typeof emptyingStates)[number];
  /** Who has asked for it, and when, in milliseconds since 1970. */
  by: Bytes;
  since: number;
  /** How many runs it has taken so far. */
  rounds: number;
  /** The last of them, or another one that moves trees from there. */
  run?: string;
  /** When this was written, in milliseconds since 1970. */
  at: number;
  /** For people. */
  note: string;
  /** How many trees could not be moved when that was looked at last, and some of them. */
  leftTrees: number;
  left: LeftOut[];
}

/** How many of those that are left are named. */
export const mostLeft = 20;

/** In the queue `plans` a backend stands among runs, whose ids have letters, digits and `-`. */
const mark = 'drain!';

/** What a job of the queue `plans` names for a backend that is emptied. */
export function emptyingJob(server: string): string {
  return `${mark}${server}`;
}

/** The backend that such a job is about; undefined for one that is about a run. */
export function emptiedBy(job: string): string | undefined {
  return job.startsWith(mark) ? job.slice(mark.length) : undefined;
}
