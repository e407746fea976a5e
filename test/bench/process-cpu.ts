// CPU time and memory of other processes, as the kernel counts them: of one, or of one and all that it has started.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const constant = (name: string) => Number(execFileSync('getconf', [name], { encoding: 'utf8' }));
/** Milliseconds per clock tick of /proc (proc(5)); 10 on every common Linux. */
const tickMs = 1000 / constant('CLK_TCK');
const pageBytes = constant('PAGESIZE');

interface Process {
  pid: number;
  parent: number;
  /** Its own, and that of children which have ended; in milliseconds. */
  own: number;
  waitedFor: number;
  rss: number;
}

/** User and system time of a process since its start, in milliseconds. Throws when there is no such process. */
export function cpuMs(pid: number): number {
  return look(pid).own;
}

/** The same of a process and all its descendants, also those that have ended. */
export function treeCpuMs(root: number): number {
  return tree(root).reduce((sum, { own, waitedFor }) => sum + own + waitedFor, 0);
}

/** The resident memory of a process and all its descendants, in bytes; pages that they share count for each. */
export function treeRss(root: number): number {
  return tree(root).reduce((sum, { rss }) => sum + rss, 0);
}

/** Children come behind their parents. */
function tree(root: number): Process[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const running = all.flatMap((pid) => {
    try {
      return [look(Number(pid))];
    } catch {
      return []; // ended meanwhile
    }
  });
  const found = [look(root)];
  for (const { pid } of found) found.push(...running.filter(({ parent }) => parent === pid));
  return found;
}

function look(pid: number): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the program's name in parentheses and may hold anything; the third is at index 0.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number);
  return {
    ...{ pid, parent: Number(fields[1]), own: (utime + stime) * tickMs },
    ...{ waitedFor: (cutime + cstime) * tickMs, rss: Number(fields[21]) * pageBytes },
  };
}
