// The write table: what RESERVE, ACTIVATE, DEACTIVATE and DELETE may do to a name in each situation it can be in.
import { reasons } from './case.ts';
import type { Verb } from './directory.ts';

/**
 * How a name stands to a write. `same` and `other` compare the server that holds the row with the one that writes;
 * `expired` is a created row of another server whose time is over; `buried` a tombstone that is not absence yet;
 * `foreign` a write for a server that the session does not speak for, about a row that its own server does not hold.
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
  'contested/same',
  'contested/other',
  'buried/same',
  'buried/other',
  'foreign',
] as const;
export type Situation = (typeof situations)[number];

/**
 * What narrows a cell. Of the session: it is a `push`, an `admin`'s, the one that handed or reserved the row (`handing`); of the
 * directory: its first population goes on (`populating`); of the row: the location is the very same (`exact`), the holder
 * has `released` it, its session has `ended`; of the name: the writing server is on record as its `rival`, or as a `duplicate`; its tree is under
 * a lease of which the writing server is the destination (`leased`), or not (`barred`), is being copied (`copying`), or was, to it (`copied`).
 */
export type Condition =
  | 'push'
  | 'admin'
  | 'handing'
  | 'exact'
  | 'populating'
  | 'released'
  | 'ended'
  | 'rival'
  | 'duplicate'
  | 'leased'
  | 'barred'
  | 'copying'
  | 'copied';

/**
 * What a write does; a refused one may note something, too. `create` makes a created row, `renew` renews its age, `activate`
 * makes it active and never overwrites a known partition by an empty one, `take` does so and puts the server that had it on
 * record as a rival, `hand` makes it handed and keeps the prior row, `remember` notes the session, `bury` leaves the prior row
 * behind a tombstone, `remove` takes it away, `release` marks a handed row as given up, and renews its age, so that nobody takes
 * it away who has seen it before. `duplicate` and `claim` put the writing server on record as a rival, `contest` also makes the
 * row contested; `withdraw` takes it off the record, and the last rival gone leaves a contested row active; `yield` leaves a
 * contested row to its rivals. `assign` and `demote` are Cyrus' own: the row becomes exactly what is given.
 */
export type Effect =
  | 'none'
  | 'create'
  | 'renew'
  | 'activate'
  | 'take'
  | 'hand'
  | 'remember'
  | 'bury'
  | 'remove'
  | 'release'
  | 'duplicate'
  | 'claim'
  | 'contest'
  | 'withdraw'
  | 'yield'
  | 'assign'
  | 'demote';

/** The texts of an answer; the first four are the very words of Cyrus' master. */
export type Text = 'done' | 'exists' | 'absent' | 'inactive' | 'held' | 'duplicate' | 'foreign' | 'copying' | 'copied';

export interface Rule {
  /** All of them must hold; left out: always. The first rule of a cell that holds is the answer. */
  when?: readonly Condition[];
  ok: boolean;
  effect: Effect;
  text: Text;
  /** Why reconciliation is rung. */
  ring?: string;
}

export type Cell = readonly [...(Rule & { when: readonly Condition[] })[], Rule];
export type Table = Readonly<Record<Situation, Readonly<Record<Verb, Cell>>>>;

const yes = (effect: Effect): Rule => ({ ok: true, effect, text: 'done' });
const no = (text: Text, effect: Effect = 'none'): Rule => ({ ok: false, effect, text });
const when = (conditions: Condition | readonly Condition[], rule: Rule): Rule & { when: readonly Condition[] } => ({
  ...rule,
  when: typeof conditions === 'string' ? [conditions] : conditions,
});
const ring = (why: string, rule: Rule): Rule => ({ ...rule, ring: why });

/** A push deletes what its server has not: of another's row nothing happens, for NO would stop the node. */
const deleteOfAnother: Cell = [
  when(['push', 'rival'], yes('withdraw')),
  when('push', ring('a push deletes a row of another server', yes('none'))),
  no('held'),
];

/** Outside of a push the deletion may yet be undone at the backend, so that its copy stays on record. */
const deleteOfNothing: Cell = [
  when(['push', 'rival'], yes('withdraw')),
  when('rival', ring('a copy on record is deleted', yes('none'))),
  yes('none'),
];

/** What a server says it has while the name is another's: on record, so that the copy is not taken for absent. */
const heldElsewhere = (effect: 'duplicate' | 'claim'): Rule => ring('claimed by another server', no('held', effect));

/** Policy `strict`: nobody takes over or removes what another server holds. */
const strict: Table = {
  absent: {
    RESERVE: [yes('create')],
    ACTIVATE: [
      when(['push', 'copied'], no('copied')),
      when(['push', 'duplicate'], ring('a push claims a mailbox that was deleted elsewhere', no('duplicate'))),
      yes('activate'),
    ],
    DEACTIVATE: [no('absent')],
    DELETE: deleteOfNothing,
  },
  'created/same': {
    RESERVE: [yes('renew')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [no('inactive')],
    // Whoever deletes what another session has reserved holds a mailbox by that name: its deletion may yet be undone.
    DELETE: [when('handing', yes('remove')), yes('bury')],
  },
  'created/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('admin', yes('activate')), heldElsewhere('claim')],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'expired/other': {
    // Where the other server had died after it made the mailbox, it holds it.
    RESERVE: [ring(reasons.expired, yes('create'))],
    ACTIVATE: [ring(reasons.expired, yes('activate'))],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'handed/same': {
    // A roll-back does not reserve: whoever reserves what it has handed over makes it anew. It did not have it, and will.
    RESERVE: [ring(reasons.madeAnew, yes('release'))],
    ACTIVATE: [
      when('released', ring(reasons.madeAnew, yes('activate'))),
      when('ended', ring(reasons.takenBack, yes('activate'))),
      yes('activate'),
    ],
    DEACTIVATE: [yes('remember')],
    DELETE: [
      when('handing', yes('remove')),
      when('push', ring(reasons.deleted, yes('release'))),
      ring(reasons.deleted, yes('none')),
    ],
  },
  'handed/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [
      when(['push', 'released'], yes('activate')),
      when('push', heldElsewhere('claim')),
      when('admin', yes('activate')),
      when('barred', no('held')),
      when('released', yes('activate')),
      // Whoever has a copy already is not the one that the source hands it to.
      when('rival', ring(reasons.copyTook, yes('take'))),
      // In an XFER the source has deleted its copy by now. Whether this is one, a look tells, or the source's next push.
      ring('moved: its source may hold a copy yet', yes('take')),
    ],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'active/same': {
    RESERVE: [yes('none')],
    ACTIVATE: [yes('activate')],
    DEACTIVATE: [when('copying', no('copying')), yes('hand')],
    DELETE: [yes('bury')],
  },
  'active/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [
      when('copied', no('copied')),
      when(['push', 'populating'], ring('two servers hold it in the first population', no('held', 'contest'))),
      when('admin', ring('taken over by an operator', yes('take'))),
      // A destination that is restarted pushes what was copied ahead: the source has more by now.
      when(['push', 'leased'], heldElsewhere('duplicate')),
      when('leased', yes('activate')),
      heldElsewhere('duplicate'),
    ],
    DEACTIVATE: [no('held')],
    DELETE: deleteOfAnother,
  },
  'contested/same': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('admin', ring('taken over by an operator', yes('take'))), no('held')],
    DEACTIVATE: [no('inactive')],
    DELETE: [when('push', yes('yield')), no('held')],
  },
  'contested/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [
      when('push', ring('another server holds a contested mailbox', no('held', 'contest'))),
      when('admin', ring('taken over by an operator', yes('take'))),
      no('held'),
    ],
    DEACTIVATE: [no('inactive')],
    DELETE: deleteOfAnother,
  },
  'buried/same': {
    RESERVE: [yes('create')],
    // Its server pushes it, say, and is in the midst of renaming it.
    ACTIVATE: [when('handing', yes('activate')), ring(reasons.crossed, yes('activate'))],
    DEACTIVATE: [no('absent')],
    // Whoever deletes it once more has it: the first deletion was undone at the backend, or its copy has come back.
    DELETE: [when('handing', yes('none')), ring(reasons.again, yes('bury'))],
  },
  'buried/other': {
    RESERVE: [no('exists')],
    ACTIVATE: [when('admin', yes('activate')), heldElsewhere('claim')],
    DEACTIVATE: [no('absent')],
    DELETE: deleteOfNothing,
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
  DEACTIVATE: [when('copying', no('copying')), yes('demote')],
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
  // Never met: this policy contests nothing and leaves no tombstones.
  'contested/same': cyrusReserved,
  'contested/other': cyrusReserved,
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
