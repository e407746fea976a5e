// The write table: what RESERVE, ACTIVATE, DEACTIVATE and DELETE may do to a name in each situation it can be in.
import { mergedLocation, serverOf } from './entry.ts';
import type { Bytes, Entry } from './entry.ts';
import type { Verb, Write, Writer } from './directory.ts';

/**
 * How a name stands to a write. `same` and `other` compare the server that holds the row with the one that writes;
 * `expired` is a created row of another server whose time is over; `foreign` is a write for a server that the session
 * does not speak for, about a row that its own server does not hold.
 */
export const situations = [
  'absent',
  'created/same',
  'created/other',
  'expired/other',
  'handed/same',
  'handed/other',
  'active/same',
  'active/other',
  'foreign',
] as const;
export type Situation = (typeof situations)[number];

/** What narrows a cell: the session is a push, an admin's, the one that handed the row; or the location is the very same. */
export type Condition = 'push' | 'admin' | 'handing' | 'exact';

/**
 * What a granted write does. `create` makes a created row, `renew` renews its age, `activate` makes it active and never
 * overwrites a known partition by an empty one, `hand` makes it handed and keeps the prior row, `remember` notes the
 * session, `remove` takes the row away. `assign` and `demote` are Cyrus' own: the row becomes exactly what is given.
 */
export type Effect = 'none' | 'create' | 'renew' | 'activate' | 'hand' | 'remember' | 'remove' | 'assign' | 'demote';

/** The texts of an answer; the first four are the very words of Cyrus' master. */
type Text = 'done' | 'exists' | 'absent' | 'inactive' | 'held' | 'foreign';

export interface Rule {
  /** Left out: always. The first rule of a cell that holds is the answer. */
  when?: Condition;
  ok: boolean;
  effect: Effect;
  text: Text;
  /** Why reconciliation is rung. */
  ring?: string;
}

type Cell = readonly [...(Rule & { when: Condition })[], Rule];
export type Table = Readonly<Record<Situation, Readonly<Record<Verb, Cell>>>>;

const yes = (effect: Effect): Rule => ({ ok: true, effect, text: 'done' });
const no = (text: Text): Rule => ({ ok: false, effect: 'none', text });
const when = (condition: Condition, rule: Rule): Rule & { when: Condition } => ({ when: condition, ...rule });
const ring = (why: string, rule: Rule): Rule => ({ ...rule, ring: why });

/** A push deletes what its server has not: of another's row nothing happens, for NO would stop the node. */
const deleteOfAnother: Cell = [when('push', ring('push deletes a row of another server', yes('none'))), no('held')];

/** Policy `strict`: nobody takes over or removes what another server holds. */
const strict: Table = {
  absent: {
    RESERVE: [yes('create')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [no('absent')],
    DELETE: [yes('none')],
  },
  'created/same': {
    RESERVE: [yes('renew')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [no('inactive')],
    DELETE: [yes('remove')],
  },
  'created/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('admin', yes('activate')), no('held')],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'expired/other': {
    RESERVE: [yes('create')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'handed/same': {
    RESERVE: [yes('none')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [yes('remember')],
    DELETE: [when('handing', yes('remove')), ring('handed row deleted by its holder', yes('none'))],
  },
  'handed/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('push', no('held')), yes('activate')],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'active/same': {
    RESERVE: [yes('none')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [yes('hand')],
    DELETE: [yes('remove')],
  },
  'active/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [
      when('push', ring('push claims a row of another server', no('held'))),
      when('admin', yes('activate')),
      no('held'),
    ],
    DEACTIVATE: [no('held')],
    DELETE: deleteOfAnother,
  },
  foreign: {
    RESERVE: [no('foreign')],
    ACTIVATE: [no('foreign')],
    DEACTIVATE: [no('foreign')],
    DELETE: [no('foreign')],
  },
};

const cyrusReserved: Table[Situation] = {
  RESERVE: [when('exact', yes('create')), no('exists')],
  ACTIVATE: [yes('assign')],
  DEACTIVATE: [no('inactive')],
  DELETE: [yes('remove')],
};
const cyrusActive: Table[Situation] = {
  RESERVE: [when('exact', yes('demote')), no('exists')],
  ACTIVATE: [yes('assign')],
  DEACTIVATE: [yes('demote')],
  DELETE: [yes('remove')],
};

/** Policy `cyrus`: the answers of a Cyrus 3.6.1 master, but for the three commands that kill it, which are answered. */
const cyrus: Table = {
  absent: {
    RESERVE: [yes('create')],
    ACTIVATE: [yes('assign')],
    DEACTIVATE: [no('absent')],
    DELETE: [no('absent')],
  },
  'created/same': cyrusReserved,
  'created/other': cyrusReserved,
  'expired/other': cyrusReserved,
  'handed/same': cyrusReserved,
  'handed/other': cyrusReserved,
  'active/same': cyrusActive,
  'active/other': cyrusActive,
  foreign: strict.foreign,
};

export type PolicyName = 'strict' | 'cyrus';

export interface Policy {
  table: Table;
  /** Whether a session may only write for the server it is bound to. */
  bound: boolean;
  /** How long, in milliseconds, a created row keeps other servers out. */
  reservationMaxAge: number;
}

/** `reservationMaxAge` in milliseconds; Cyrus knows no expiry, so policy `cyrus` passes it by. */
export function policyOf(name: PolicyName, reservationMaxAge: number): Policy {
  return name === 'strict'
    ? { table: strict, bound: true, reservationMaxAge }
    : { table: cyrus, bound: false, reservationMaxAge: Infinity };
}

/** The row a name has, without what its store knows by itself. */
export type Row = Omit<Entry, 'name' | 'version'>;

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
  // No row outlives its tombstone yet: deleted is absent.
  if (row === undefined || row.state === 'tombstone') return 'absent';
  const writing = named ?? (writer.admin ? holder : (writer.server ?? holder));
  if (writing === holder) return `${row.state}/same`;
  const expired = row.state === 'created' && now - (row.since ?? now) > policy.reservationMaxAge;
  return expired ? 'expired/other' : `${row.state}/other`;
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
      return { row: row && { ...row, ...mark }, logged: false };
    case 'remember':
      return { row: row && { ...row, session: writer.session }, logged: false };
    case 'hand':
      return { row: row && { state: 'handed', location: row.location, acl: row.acl, ...mark }, logged: true };
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
  return row?.state === 'active' ? 'active' : 'reserved';
}

function age(row: Row | undefined, now: number): string {
  return row?.since === undefined ? '' : ` since ${Math.max(0, Math.round((now - row.since) / 1000))} s`;
}

/** Bytes fit for a quoted string of any peer: controls and 8-bit bytes are shown as `?`. */
function printable(bytes: Bytes): string {
  return bytes.replace(/[^\x20-\x7e]/g, '?');
}
