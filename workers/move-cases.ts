// Cases of reconciliation that were left to a move: looked into as soon as it is over, not only when the next sweep comes.
import { readable } from '../services/address/bytes.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { Bytes } from '../services/directory/entry.ts';
import type { Move } from '../services/moves/move.ts';

export interface CasesLeft {
  directory: Pick<Directory, 'tree' | 'case'>;
  /** Has a worker look into the case of a name. */
  ring: (name: Bytes) => void;
  log: { warn(fields: object, text: string): void };
}

/** Rings for what is open in the tree of a move that is over. Never rejects: the sweep rings, too. */
export async function ringForCases({ name }: Pick<Move, 'name'>, { directory, ring, log }: CasesLeft): Promise<void> {
  try {
    const rows = await directory.tree(name);
    const cases = await Promise.all(rows.map((row) => directory.case(row.name)));
    for (const open of cases) if (open) ring(open.name);
  } catch (error) {
    log.warn({ err: error, mailbox: readable(name) }, 'move: cases left to it wait for the sweep');
  }
}
