// Which cases of reconciliation a move settles by itself: whoever looks into them meanwhile leaves them to it. Pure.
import { isUser } from '../address/user-name.ts';
import type { Case } from '../directory/case.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Row } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { Move } from './move.ts';

/** The name under which a mailbox is moved: a user's folders go with him. */
export function rootOf(name: Bytes): Bytes {
  const { tree } = placeOf(name);
  return isUser(tree) ? tree : name;
}

/**
 * Whether an open move that has told a server to cut settles the case. What the directory does not have, or has reserved or
 * contested, a move waits for; and what is neither at its source nor at its destination it does not touch.
 */
export function settles(move: Move, row: Row | undefined, { rivals }: Pick<Case, 'rivals'>): boolean {
  if (move.state !== 'open' || move.attempts === 0) return false;
  if (row?.state !== 'active' && row?.state !== 'handed') return false;
  const servers = [serverOf(row.location), ...rivals.map(({ server }) => server)];
  return servers.some((server) => server === move.from.server || server === move.to.server);
}

/**
 * Whether a case came about in a move that is done, and is about nobody but its two servers. What was in doubt before, or is
 * about a third server, takes more to be settled.
 */
export function isOfMove(
  { from, to, times }: Move,
  row: Row,
  { since, rivals }: Pick<Case, 'since' | 'rivals'>,
): boolean {
  if (row.state !== 'active' || serverOf(row.location) !== to.server) return false;
  const isSince = times.begun !== undefined && since >= times.begun;
  return isSince && rivals.every(({ server }) => server === from.server || server === to.server);
}
