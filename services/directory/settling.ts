// What becomes of rows that wait: for the end of a session, for the server that it speaks for, for a push to confirm them.
import { isOwn, reasons } from './case.ts';
import type { Case } from './case.ts';
import { serverOf } from './entry.ts';
import type { Bytes, Row } from './entry.ts';
import type { Ending } from './directory.ts';
import type { Times } from './rules.ts';

/** A row after it was settled; the very same where it is none of its business. */
export interface Settled {
  row: Row | undefined;
  /** Why reconciliation is rung. */
  ring?: string;
}

/** Whether a row waits for its session's end. */
export function isPending(row: Row | undefined, session: string): boolean {
  if (row?.session !== session || row.ended !== undefined) return false;
  return row.state === 'created' || row.state === 'handed' || row.state === 'tombstone';
}

/** Whether a tombstone has become absence: its session has ended, and the grace since the DELETE is over. */
export function isGone({ state, since, ended, unbound }: Row, times: Times, now: number): boolean {
  return (
    state === 'tombstone' && unbound !== true && ended !== undefined && now - (since ?? now) >= times.tombstoneGrace
  );
}

/** The row of a name after its session's end. `now` in milliseconds since 1970. */
export function settled(name: Bytes, row: Row, session: string, how: Ending, now: number): Settled {
  if (!isPending(row, session)) return { row };
  if (row.state !== 'tombstone') {
    if (how === 'refused') return { row };
    return { row: { ...row, ended: now }, ring: row.state === 'created' ? reasons.reserved : reasons.handed };
  }
  if (how !== 'logout') return putBack(row);
  if (row.unbound !== true || isDeletedName(name)) return { row: undefined };
  return { row: { ...row, ended: now }, ring: reasons.unbound };
}

/** The row of a name after its session, which spoke for no server, has named one. */
export function bound(row: Row, session: string, server: Bytes): Settled {
  if (!isPending(row, session) || row.unbound !== true) return { row };
  if (serverOf(row.location) !== server) return putBack(row);
  const { unbound, ...rest } = row;
  return { row: rest };
}

/**
 * The row of a name with an open case after the push of a server that began at `begun`: what it did not delete and did
 * not activate anew it holds, where the directory showed it the row, and does not hold, where it showed none.
 * `closed` tells whether the case is answered by that.
 */
export function confirmed(
  row: Row | undefined,
  open: Pick<Case, 'rung' | 'reason' | 'rivals'>,
  server: Bytes,
  begun: number,
): { row: Row | undefined; closed: boolean } {
  const unanswered = { row, closed: false };
  if (row === undefined || serverOf(row.location) !== server || open.rung >= begun) return unanswered;
  const clear = isOwn(open);
  if (row.state === 'active') return { row, closed: clear };
  if (row.state === 'tombstone' && row.ended !== undefined && row.ended < begun)
    return { row: undefined, closed: clear };
  return unanswered;
}

function putBack(row: Row): Settled {
  return { row: { state: 'active', location: row.location, acl: row.acl }, ring: reasons.putBack };
}

/** Where Cyrus keeps what was deleted, in a domain or not: cyr_expire deletes there, in sessions that name no server. */
export function isDeletedName(name: Bytes): boolean {
  return /^(?:[^!]*!)?DELETED\./.test(name);
}
