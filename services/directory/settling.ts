// What becomes of rows that wait: for the end of a session, for the server that it speaks for, for a push to confirm them.
import { isOwn, reasons } from './case.ts';
import type { Case } from './case.ts';
import { serverOf } from './entry.ts';
import type { Bytes, Row } from './entry.ts';
import type { Ending, Write, Writer } from './directory.ts';
import type { Rule, Times } from './rules.ts';

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

/**
 * Whether a session may have activated something without ever hearing so, which its end must then tell of. A push tells of
 * what its server has.
 */
export function mayBeUnheard(rule: Rule, { verb }: Write, { push }: Writer): boolean {
  return rule.ok && verb === 'ACTIVATE' && !push;
}

/** Whether a row is somebody's work under way, which a claim must not come between. */
export function isUnderWay(row: Row | undefined): boolean {
  return row?.session !== undefined && isPending(row, row.session);
}

/** Whether a tombstone has become absence: its session has ended, and the grace since the DELETE is over. */
export function isGone({ state, since, ended, unbound }: Row, times: Times, now: number): boolean {
  return (
    state === 'tombstone' && unbound !== true && ended !== undefined && now - (since ?? now) >= times.tombstoneGrace
  );
}

/** The row of a name after its session's end. `now` in milliseconds since 1970. */
export function settled(name: Bytes, row: Row, session: string, how: Ending, now: number): Settled {
  // The backend makes a mailbox, or gives it a new name, for good when it has read the OK; else it undoes that.
  if (row.state === 'active') return how === 'cut' ? { row, ring: reasons.unheard } : { row };
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
