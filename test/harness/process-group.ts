// A server and the processes it starts, signalled and waited for as one.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';

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
  return runningIn(group).length > 0;
}

/** Who runs in it. */
export function runningIn(group: number): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && runsIn(group, pid))
    .map(Number);
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

/**
 * Kills the group when this process ends, however it ends: a shell waits for the end of a pipe that we hold. For servers
 * that change their user, which makes the kernel forget the signal it was to send (prctl(2), PR_SET_PDEATHSIG). Gives
 * what calls it off, for when the group is gone.
 */
export function endGroupWithUs(group: number): () => void {
  const watch = ['-c', 'read -r line || kill -s KILL -- "-$1"', 'sh', String(group)];
  const watcher = spawn('sh', watch, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const pipe = watcher.stdin;
  watcher.unref();
  if (pipe instanceof Socket) pipe.unref();
  return () => {
    pipe.end('called off\n');
  };
}
