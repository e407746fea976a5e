// Cases of reconciliation that a move has brought about: closed when it is done and both its servers say what it has shown,
// else looked into as soon as it is over, not only when the next sweep comes.
import { setImmediate as turn } from 'node:timers/promises';
import { readable } from '../services/address/bytes.ts';
import type { Case } from '../services/directory/case.ts';
import type { Directory } from '../services/directory/directory.ts';
import { isGrave } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { verdictOn } from '../services/directory/reconciliation.ts';
import type { Holding } from '../services/directory/reconciliation.ts';
import type { Times } from '../services/directory/rules.ts';
import type { MoveDriver } from '../services/moves/driver.ts';
import type { Move } from '../services/moves/move.ts';
import { isOfMove } from '../services/moves/moved-case.ts';

export interface CasesLeft {
  directory: Pick<Directory, 'tree' | 'case' | 'resolve'>;
  driver: Pick<MoveDriver, 'holds'>;
  times: Times;
  /** Has a worker look into the case of a name. */
  ring: (name: Bytes) => void;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/** As the change log names it. */
const by = 'move';

/** Sees to what is open in the tree of a move that is over. Never rejects: the sweep rings, too. */
export async function seeToCases(move: Move, left: CasesLeft): Promise<void> {
  const { directory, ring, log } = left;
  try {
    const rows = (await directory.tree(move.name)).filter((row) => !isGrave(row));
    const cases = await Promise.all(rows.map((row) => directory.case(row.name)));
    let closed = 0;
    for (const [at, row] of rows.entries()) {
      const open = cases[at];
      if (!open) continue;
      if (await isClosed(move, row, open, left)) closed += 1;
      else ring(row.name);
      await turn();
    }
    if (closed > 0) log.info({ mailbox: readable(move.name), closed }, 'move: the cases that it opened are closed');
  } catch (error) {
    log.warn({ err: error, mailbox: readable(move.name) }, 'move: cases left to it wait for the sweep');
  }
}

/**
 * What the move itself has brought about is about its two servers: no other one need be asked. Closed only where the row, and
 * the case, are then as they were looked at.
 */
async function isClosed(move: Move, row: Entry, open: Case, left: CasesLeft): Promise<boolean> {
  const { from, to, state } = move;
  if (state !== 'done' || from.server === to.server || !isOfMove(move, row, open)) return false;
  const [source, destination] = await Promise.all([said(from.server, row.name, left), said(to.server, row.name, left)]);
  const holdings = new Map([
    [from.server, source],
    [to.server, destination],
  ]);
  const verdict = verdictOn({ row, open, holdings, times: left.times, now: Date.now() });
  if (verdict.is !== 'resolve' || verdict.action !== 'close') return false;
  const resolution = { name: row.name, expected: row, rung: open.rung, action: verdict.action, forget: verdict.forget };
  return left.directory.resolve({ ...resolution, session: `move-${process.pid}`, by });
}

function said(server: Bytes, name: Bytes, { driver }: CasesLeft): Promise<Holding> {
  return driver.holds(server, name).catch(() => 'unknown');
}
