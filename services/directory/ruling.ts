// How the write table is applied: the situation of a name, the rule that holds, the row after it, the words of the answer.
import { mergedLocation, serverOf } from './entry.ts';
import type { Bytes, Row } from './entry.ts';
import type { Ending, Write, Writer } from './directory.ts';
import type { Cell, Condition, Effect, Policy, Rule, Situation, Times } from './rules.ts';

/** Where a name with this row stands to the write. `now` in milliseconds since 1970. */
export function situationOf(
  row: Row | undefined,
  write: Write,
  writer: Writer,
  policy: Policy,
  now: number,
): Situation {
  const holder = row && serverOf(row.location);
  const named = write.verb === 'DELETE' ? undefined : serverOf(write.location);
  if (policy.bound && !writer.admin && writer.server !== undefined) {
    if (named !== undefined && named !== writer.server && holder !== writer.server) return 'foreign';
  }
  if (row === undefined) return 'absent';
  const state = row.state === 'tombstone' ? 'buried' : row.state;
  const writing = named ?? (writer.admin ? holder : (writer.server ?? holder));
  if (writing === holder) return `${state}/same`;
  return isExpired(row, policy.times, now) ? 'expired/other' : `${state}/other`;
}

function isExpired({ state, since, ended }: Row, times: Times, now: number): boolean {
  if (state !== 'created') return false;
  return now - (since ?? now) > times.reservationMaxAge || now - (ended ?? now) > times.reservationGrace;
}

/** Whether a row waits for its session's end. */
export function isPending(row: Row | undefined, session: string): boolean {
  if (row?.session !== session || row.ended !== undefined) return false;
  return row.state === 'created' || row.state === 'tombstone';
}

/** Whether a tombstone has become absence: its session has ended, and the grace since the DELETE is over. */
export function isGone({ state, since, ended }: Row, times: Times, now: number): boolean {
  return state === 'tombstone' && ended !== undefined && now - (since ?? now) >= times.tombstoneGrace;
}

/** A row after its session's end: put back, marked, or gone; the very same where the end is none of its business. */
export function settled(row: Row, session: string, how: Ending, now: number): Row | undefined {
  if (!isPending(row, session)) return row;
  if (row.state === 'created') return how === 'refused' ? row : { ...row, ended: now };
  return how === 'logout' ? undefined : { state: 'active', location: row.location, acl: row.acl };
}

/**
 * Whether a refused write puts back what its session has deleted: it was a step of a RENAME. A push sends one kind of
 * step after the other, and a NO to one says nothing about the others.
 */
export function undoes(rule: Rule, write: Write, writer: Writer): boolean {
  return !rule.ok && !writer.push && (write.verb === 'RESERVE' || write.verb === 'ACTIVATE');
}

/** The rule of a cell that applies. */
export function ruleOf(cell: Cell, row: Row | undefined, write: Write, writer: Writer): Rule {
  const holds: Record<Condition, boolean> = {
    push: writer.push,
    admin: writer.admin,
    handing: row?.session === writer.session,
    exact: row?.location === write.location,
  };
  // A cell's last rule has no condition.
  return cell.find((rule) => rule.when === undefined || holds[rule.when]) ?? cell[0];
}

export interface Applied {
  row: Row | undefined;
  /** Whether readers must hear of it: a change of state, location or ACL. */
  logged: boolean;
}

/** The row after an effect; the very same row when nothing differs. */
export function applied(effect: Effect, row: Row | undefined, write: Write, writer: Writer, now: number): Applied {
  const mark = { session: writer.session, since: now };
  switch (effect) {
    case 'none':
      return { row, logged: false };
    case 'remove':
      return { row: undefined, logged: true };
    case 'renew':
      return { row: row && { state: 'created', location: row.location, acl: row.acl, ...mark }, logged: false };
    case 'remember':
      return { row: row && { ...row, session: writer.session }, logged: false };
    case 'hand':
      return { row: row && { state: 'handed', location: row.location, acl: row.acl, ...mark }, logged: true };
    case 'bury':
      return { row: row && { state: 'tombstone', location: row.location, acl: row.acl, ...mark }, logged: true };
    case 'create':
    case 'demote':
      return changed(row, { state: 'created', location: write.location, acl: '', ...mark });
    case 'activate':
      return changed(row, { state: 'active', location: mergedWith(row, write.location), acl: write.acl });
    case 'assign':
      return changed(row, { state: 'active', location: write.location, acl: write.acl });
  }
}

function mergedWith(row: Row | undefined, given: Bytes): Bytes {
  return row === undefined ? given : mergedLocation(row.location, given);
}

function changed(row: Row | undefined, next: Row): Applied {
  const same = row?.state === next.state && row.location === next.location && row.acl === next.acl;
  return same ? { row, logged: false } : { row: next, logged: true };
}

/** The text of an answer about a row as it stood before the write. `now` in milliseconds since 1970. */
export function answerText(rule: Rule, row: Row | undefined, write: Write, writer: Writer, now: number): string {
  const holder = row === undefined ? '' : printable(row.location);
  switch (rule.text) {
    case 'done':
      return 'done';
    case 'absent':
      return "mailbox doesn't exist";
    case 'inactive':
      return 'mailbox not currently active';
    case 'exists':
      return `mailbox already exists: ${stateWord(row)} at ${holder}${age(row, now)}`;
    case 'held':
      return `mailbox is ${stateWord(row)} at ${holder}${age(row, now)}`;
    case 'foreign':
      return `session writes for ${printable(writer.server ?? '')}, not for ${printable(serverOf(write.location))}`;
  }
}

function stateWord(row: Row | undefined): string {
  if (row?.state === 'tombstone') return 'being deleted';
  return row?.state === 'active' ? 'active' : 'reserved';
}

function age(row: Row | undefined, now: number): string {
  return row?.since === undefined ? '' : ` since ${Math.max(0, Math.round((now - row.since) / 1000))} s`;
}

/** Bytes fit for a quoted string of any peer: controls and 8-bit bytes are shown as `?`. */
function printable(bytes: Bytes): string {
  return bytes.replace(/[^\x20-\x7e]/g, '?');
}
