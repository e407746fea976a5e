// The write table: what RESERVE, ACTIVATE, DEACTIVATE and DELETE may do to a name in each situation it can be in.
import type { Verb } from './directory.ts';

/**
 * How a name stands to a write. `same` and `other` compare the server that holds the row with the one that writes;
 * `expired` is a created row of another server whose time is over; `buried` a tombstone whose session has not ended; `foreign` is a write for a server that the session
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
  'buried/same',
  'buried/other',
  'foreign',
] as const;
export type Situation = (typeof situations)[number];

/** What narrows a cell: the session is a push, an admin's, the one that handed the row; or the location is the very same. */
export type Condition = 'push' | 'admin' | 'handing' | 'exact';

/**
 * What a granted write does. `create` makes a created row, `renew` renews its age, `activate` makes it active and never
 * overwrites a known partition by an empty one, `hand` makes it handed and keeps the prior row, `remember` notes the
 * session, `bury` leaves the prior row behind a tombstone, `remove` takes it away. `assign` and `demote` are Cyrus' own: the row becomes exactly what is given.
 */
export type Effect =
  'none' | 'create' | 'renew' | 'activate' | 'hand' | 'remember' | 'bury' | 'remove' | 'assign' | 'demote';

/** The texts of an answer; the first four are the very words of Cyrus' master. */
export type Text = 'done' | 'exists' | 'absent' | 'inactive' | 'held' | 'foreign';

export interface Rule {
  /** Left out: always. The first rule of a cell that holds is the answer. */
  when?: Condition;
  ok: boolean;
  effect: Effect;
  text: Text;
  /** Why reconciliation is rung. */
  ring?: string;
}

export type Cell = readonly [...(Rule & { when: Condition })[], Rule];
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
    DELETE: [yes('bury')],
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
  'buried/same': {
    RESERVE: [yes('create')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [no('absent')],
    DELETE: [yes('none')],
  },
  'buried/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('admin', yes('activate')), no('held')],
    DEACTIVATE: [no('absent')],
    DELETE: [yes('none')],
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
  // Never met: this policy leaves no tombstones.
  'buried/same': cyrusReserved,
  'buried/other': cyrusReserved,
  foreign: strict.foreign,
};

export type PolicyName = 'strict' | 'cyrus';

export interface Policy {
  table: Table;
  /** Whether a session may only write for the server it is bound to. */
  bound: boolean;
  times: Times;
}

/** How long things that pass hold, in milliseconds. */
export interface Times {
  /** How long at the latest a created row keeps other servers out. */
  reservationMaxAge: number;
  /** How long it still does after its session has ended. */
  reservationGrace: number;
  /** How long after its DELETE a name is not yet believed to be gone. */
  tombstoneGrace: number;
}

export const defaultTimes: Times = { reservationMaxAge: 3_600_000, reservationGrace: 60_000, tombstoneGrace: 60_000 };

/** Cyrus knows no expiry, so policy `cyrus` passes it by. */
export function policyOf(name: PolicyName, times: Times = defaultTimes): Policy {
  if (name === 'strict') return { table: strict, bound: true, times };
  return { table: cyrus, bound: false, times: { ...times, reservationMaxAge: Infinity, reservationGrace: Infinity } };
}
