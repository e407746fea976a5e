// Writes a plan's file: whole or not at all, line by line, and never over another one unasked.
import { link, open, rename, rm } from 'node:fs/promises';
import type { Plan } from '../moves/plan.ts';
import { planLines } from '../moves/plan-text.ts';
import { CommandError, exit } from './exit-codes.ts';

/** So many lines are written at once. */
const atOnce = 1000;

/** Ends the command with 65 where the file can't be written, or is there and need not be replaced. */
export async function writePlan(plan: Plan, file: string, isForced: boolean): Promise<void> {
  const beside = `${file}.${process.pid}.new`;
  try {
    await write(plan, beside);
    // A link, unlike a renaming, replaces nothing.
    if (isForced) await rename(beside, file);
    else await link(beside, file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already: name another file, or --force' : `cannot be written: ${message}`;
    throw new CommandError(exit.data, `${file} ${why}`, { cause: error });
  } finally {
    await rm(beside, { force: true });
  }
}

async function write(plan: Plan, file: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    let some: string[] = [];
    for (const line of planLines(plan)) {
      some.push(`${line}\n`);
      if (some.length < atOnce) continue;
      await handle.writeFile(some.join(''));
      some = [];
    }
    await handle.writeFile(some.join(''));
    await handle.sync();
  } finally {
    await handle.close();
  }
}
