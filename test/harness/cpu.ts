// How much processor time processes have used: on a machine that others use too it tells more than the clock.
import { readFile } from 'node:fs/promises';

/** Ticks of proc(5) in a second. */
const ticks = 100;

/** What these processes have used so far, in seconds; undefined where there is no /proc. */
export async function cpuSeconds(pids: readonly number[]): Promise<number | undefined> {
  try {
    const seconds = await Promise.all(pids.map(secondsOf));
    return seconds.reduce((sum, one) => sum + one, 0);
  } catch {
    return undefined;
  }
}

async function secondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  // Counted from behind the name, which may have blanks: utime and stime are the 14th and 15th of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}
