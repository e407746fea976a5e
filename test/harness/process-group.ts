// A server and the processes it starts, signalled and waited for as one.
import { readdirSync, readFileSync } from 'node:fs';

/** Sends a signal to every process of the group; none there is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether any process of the group still runs: a dead one that nobody has waited for yet does not count. */
export function groupRuns(group: number): boolean {
  return readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && runsIn(group, pid));
}

/** proc(5): pid (name) state ppid pgrp ...; the name may hold anything, so it is skipped by its last bracket. */
function runsIn(group: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return pgrp === String(group) && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
