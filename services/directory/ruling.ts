// How the write table is applied: the situation of a name, the rule that holds, row and case after it, the words of the
// answer.
import { isAboutRivals, isOwn, renewed, rungFor, withoutRivals } from './case.ts';
import type { Case, Rival } from './case.ts';
import { copiedAs } from './copies.ts';
import type { Copy } from './copies.ts';
import { mergedLocation, serverOf } from './entry.ts';
import type { Bytes, Row } from './entry.ts';
import type { Lease, Write, Writer } from './directory.ts';
import type { Cell, Condition, Effect, Policy, Rule, Situation, Times } from './rules.ts';

/** All that a write is judged by, but for the write. */
export interface Known {
  row: Row | undefined;
  /** Of the open case of the name; empty without one. */
  rivals: readonly Rival[];
  /** Of the name's tree. */
  lease: Lease | undefined;
  /** Of the name's tree, ahead of its move. */
  copy: Copy | undefined;
  /** Whether the first population of the directory goes on. */
  populating: boolean;
}

/** The server for which a write comes; of DELETE, which names none, the session's. */
function writingServer({ row }: Known, write: Write, writer: Writer): Bytes | undefined {
  if (write.verb !== 'DELETE') return serverOf(write.location);
  const holder = row && serverOf(row.location);
  return writer.admin ? holder : (writer.server ?? holder);
}

/** Where a name stands to the write. `now` in milliseconds since 1970. */
export function situationOf(known: Known, write: Write, writer: Writer, policy: Policy, now: number): Situation {
  const { row } = known;
  const holder = row && serverOf(row.location);
  if (policy.bound && !writer.admin && writer.server !== undefined && write.verb !== 'DELETE') {
    const named = serverOf(write.location);
    if (named !== writer.server && holder !== writer.server) return 'foreign';
  }
  if (row === undefined) return 'absent';
  const state = row.state === 'tombstone' ? 'buried' : row.state;
  if (writingServer(known, write, writer) === holder) return `${state}/same`;
  return isExpired(row, policy.times, now) ? 'expired/other' : `${state}/other`;
}

/** Whether a created row keeps other servers out no longer. `now` in milliseconds since 1970. */
export function isExpired({ state, since, ended }: Row, times: Times, now: number): boolean {
  if (state !== 'created') return false;
  return now - (since ?? now) > times.reservationMaxAge || now - (ended ?? now) > times.reservationGrace;
}

/**
 * Whether a refused write puts back what its session has deleted: it was a step of a RENAME. A push sends one kind of
 * step after the other, and a NO to one says nothing about the others.
 */
export function undoes(rule: Rule, write: Write, writer: Writer): boolean {
  return !rule.ok && !writer.push && (write.verb === 'RESERVE' || write.verb === 'ACTIVATE');
}

/**
 * Whether a write that has come about gives a server all that is copied as one: what it has of that is no copy any more,
 * however it came there.
 */
export function isTakenWhole({ ok }: Rule, { verb, name }: Write): boolean {
  return ok && verb === 'ACTIVATE' && copiedAs(name) === name;
}

/** The rule of a cell that applies. */
export function ruleOf(cell: Cell, known: Known, write: Write, writer: Writer): Rule {
  const { row, rivals, lease } = known;
  const server = writingServer(known, write, writer);
  const record = rivals.find((rival) => rival.server === server);
  const holds: Record<Condition, boolean> = {
    push: writer.push,
    admin: writer.admin,
    handing: row?.session === writer.session,
    exact: row?.location === write.location,
    populating: known.populating,
    released: row?.released === true,
    ended: row?.ended !== undefined,
    rival: record !== undefined,
    duplicate: record?.kind === 'duplicate',
    leased: lease !== undefined && lease.destination === server,
    barred: lease !== undefined && lease.destination !== server,
    copying: known.copy?.goesOn === true,
    copied: known.copy !== undefined && known.copy.destination === server,
  };
  // A cell's last rule has no condition.
  return cell.find((rule) => rule.when === undefined || rule.when.every((one) => holds[one])) ?? cell[0];
}

export interface Applied {
  row: Row | undefined;
  rivals: readonly Rival[];
  /** Whether readers must hear of it: a change of state, location or ACL. */
  logged: boolean;
}

/** Row and rivals after an effect; the very same row when nothing differs. */
export function applied(effect: Effect, known: Known, write: Write, writer: Writer, now: number): Applied {
  const { row, rivals } = known;
  const mark = { session: writer.session, since: now };
  const same = { row, rivals, logged: false };
  const server = writingServer(known, write, writer) ?? '';
  switch (effect) {
    case 'none':
      return same;
    case 'remove':
      return { row: undefined, rivals, logged: true };
    case 'renew':
      return { ...same, row: row && { state: 'created', location: row.location, acl: row.acl, ...mark } };
    case 'remember':
      return { ...same, row: row && handed(row, writer.session, row.since ?? now) };
    case 'hand':
      return { row: row && handed(row, writer.session, now), rivals, logged: true };
    case 'release':
      return { ...same, row: row && { ...row, since: Math.max(now, (row.since ?? 0) + 1), released: true } };
    case 'bury': {
      const unbound = !writer.admin && writer.server === undefined ? { unbound: true } : {};
      const buried = row && { state: 'tombstone' as const, location: row.location, acl: row.acl, ...mark, ...unbound };
      return { row: buried, rivals, logged: row?.state !== 'tombstone' };
    }
    case 'create':
    case 'demote':
      return changed(known, { state: 'created', location: write.location, acl: '', ...mark });
    case 'activate':
      return changed(known, { state: 'active', location: mergedWith(row, write.location), acl: write.acl });
    case 'assign':
      return changed(known, { state: 'active', location: write.location, acl: write.acl });
    case 'take':
      return taken(known, { location: mergedWith(row, write.location), acl: write.acl });
    case 'duplicate':
    case 'claim':
      return { ...same, rivals: withRival(rivals, rivalOf(write, effect)) };
    case 'contest': {
      const more = { ...known, rivals: withRival(rivals, rivalOf(write, 'claim')) };
      return changed(more, row && { state: 'contested', location: row.location, acl: row.acl, ...mark });
    }
    case 'withdraw': {
      const left = rivals.filter((rival) => rival.server !== server);
      if (row?.state !== 'contested' || left.length > 0) return { ...same, rivals: left };
      return changed({ ...known, rivals: left }, { state: 'active', location: row.location, acl: row.acl });
    }
    case 'yield': {
      const [heir, ...others] = rivals;
      if (!heir) return { row: undefined, rivals, logged: row !== undefined };
      const { location, acl } = heir;
      const next: Row =
        others.length > 0 ? { state: 'contested', location, acl, ...mark } : { state: 'active', location, acl };
      return changed({ ...known, rivals: others }, next);
    }
  }
}

function handed(row: Row, session: string, since: number): Row {
  return { state: 'handed', location: row.location, acl: row.acl, session, since };
}

function mergedWith(row: Row | undefined, given: Bytes): Bytes {
  return row === undefined ? given : mergedLocation(row.location, given);
}

function rivalOf({ location, acl }: Write, kind: Rival['kind']): Rival {
  return { server: serverOf(location), kind, location, acl };
}

/** Rivals with one more, in the order of their servers; what was on record of its server is replaced. */
export function withRival(rivals: readonly Rival[], one: Rival): Rival[] {
  const others = rivals.filter(({ server }) => server !== one.server);
  return [...others, one].sort((a, b) => (a.server < b.server ? -1 : 1));
}

/** A mailbox given to another server: the one that had it still holds a copy. */
export function taken(known: Pick<Known, 'row' | 'rivals'>, at: { location: Bytes; acl: Bytes }): Applied {
  const { row, rivals } = known;
  const loses = row !== undefined && serverOf(row.location) !== serverOf(at.location);
  const loser = loses && {
    server: serverOf(row.location),
    kind: 'duplicate' as const,
    location: row.location,
    acl: row.acl,
  };
  const more = loser ? withRival(rivals, loser) : rivals;
  return changed({ row, rivals: more }, { state: 'active', ...at });
}

/** A server that has the row is no rival of it. */
function changed({ row, rivals }: Pick<Known, 'row' | 'rivals'>, next: Row | undefined): Applied {
  const holder = next?.state === 'active' ? serverOf(next.location) : undefined;
  const left = rivals.some(({ server }) => server === holder)
    ? rivals.filter(({ server }) => server !== holder)
    : rivals;
  const same = row?.state === next?.state && row?.location === next?.location && row?.acl === next?.acl;
  return same ? { row, rivals: left, logged: false } : { row: next, rivals: left, logged: true };
}

/**
 * The case of a name after a write. What rings opens it. It is closed by a granted write that leaves the name active or
 * absent and nobody else on record, where that says enough: its own server settles what is about it alone, and the last
 * rival that says it has no copy settles the rest. `open` is the case before. `now` in milliseconds since 1970.
 */
export function caseAfter(
  open: Case | undefined,
  rule: Rule,
  after: Pick<Applied, 'row' | 'rivals'>,
  write: Write,
  writer: Writer,
  now: number,
): Case | undefined {
  const { row, rivals } = after;
  const { name, verb } = write;
  if (rule.ring !== undefined) {
    return rungFor(open, { name, reason: rule.ring, session: writer.session, rivals }, now);
  }
  if (open === undefined) return undefined;
  const clear = rivals.length === 0 && (row === undefined || row.state === 'active');
  const withdrawn = rule.effect === 'yield' || (rule.effect === 'withdraw' && open.rivals.length > 0);
  if (rule.ok && clear && withdrawn && isAboutRivals(open)) return withoutRivals(open);
  const says = isOwn({ ...open, rivals }) && (rule.effect !== 'none' || verb === 'ACTIVATE');
  if (rule.ok && clear && says) return undefined;
  return rivals.length === open.rivals.length ? open : renewed(open, rivals);
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
    case 'duplicate':
      return 'mailbox was deleted at another server: rookery mailbox claim gives it to this one';
    case 'copying':
      return 'mailbox is being copied ahead of a move, and can be handed over when that is done';
    case 'copied':
      return 'mailbox is of a copy that was made here ahead of a move';
    case 'held':
      return `mailbox is ${stateWord(row)} at ${holder}${age(row, now)}`;
    case 'foreign':
      return `session writes for ${printable(writer.server ?? '')}, not for ${printable(serverOf(write.location))}`;
  }
}

function stateWord(row: Row | undefined): string {
  if (row?.state === 'tombstone') return 'being deleted';
  if (row?.state === 'contested') return 'contested';
  return row?.state === 'active' ? 'active' : 'reserved';
}

function age(row: Row | undefined, now: number): string {
  return row?.since === undefined ? '' : ` since ${Math.max(0, Math.round((now - row.since) / 1000))} s`;
}

/** Bytes fit for a quoted string of any peer: controls and 8-bit bytes are shown as `?`. */
function printable(bytes: Bytes): string {
  return bytes.replace(/[^\x20-\x7e]/g, '?');
}
