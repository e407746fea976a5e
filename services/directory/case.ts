// A case of reconciliation: a name whose row may not tell the truth, and what is known about it until somebody has looked.
import type { Bytes, Entry } from './entry.ts';

/**
 * A server that says it holds a mailbox which the directory does not place there. `duplicate`: the name was active at
 * another server, which may since have deleted it: such a copy must not come back by a push. `claim`: the name was
 * reserved, or contested in the first population, so that the copy may be the only one.
 */
export interface Rival {
  server: Bytes;
  kind: 'duplicate' | 'claim';
  /** As the server gave them. */
  location: Bytes;
  acl: Bytes;
}

export interface Case {
  name: Bytes;
  /** Why it was opened, or rung again last; a phrase. */
  reason: string;
  /** A reason about the row's own server behind a weightier one: what is left when the last rival has gone. */
  behind?: string;
  /** The session whose doing that was. */
  session: string;
  /** When it was opened, and when it was rung for last by what happened, in milliseconds since 1970. */
  since: number;
  rung: number;
  /** In the order of their servers' names. */
  rivals: readonly Rival[];
  /** What it waits for, as whoever looked into it last has found. */
  waiting?: string;
}

/** The reasons of a weight of their own, or that do not stand in the write table (rules.ts). */
export const reasons = {
  putBack: 'deleted, and put back: the deletion was refused or cut short',
  reserved: 'reserved by a session that has ended',
  handed: 'handed over by a session that has ended',
  unbound: 'deleted by a session that spoke for no server',
  claimed: 'given to another server by an operator',
  madeAnew: 'made anew by the server that had handed it over',
  copyTook: 'taken, while it was handed over, by a server that had a copy before',
  takenBack: 'taken back by the server that had handed it over',
  deleted: 'a handed row deleted by its holder',
  expired: 'reserved by another server before, and expired',
  unheard: 'a session was cut off that may not have heard that it is active',
  undone: 'a write of it was taken back: not enough replicas had it',
  crossed: 'activated while another session was deleting it',
  again: 'deleted once more before its deletion was over',
  unknownThere: 'unknown to the server that it is said to be at',
} as const;

export interface Caseload {
  count: number;
  oldest: number | undefined;
}

/** About the row's own server alone, so that its own word settles it. */
const ownReasons: readonly string[] = [
  ...[reasons.putBack, reasons.reserved, reasons.unbound, reasons.again, reasons.unheard, reasons.crossed],
  reasons.unknownThere,
];

/** About a copy at a server that is not known, so that only asking all of them settles it. Any other is about rivals. */
const openReasons: readonly string[] = [
  reasons.handed,
  reasons.madeAnew,
  reasons.takenBack,
  reasons.copyTook,
  reasons.deleted,
  reasons.expired,
  reasons.undone,
];

/** How much has to be known before a reason is settled. */
function weight(reason: string): number {
  if (ownReasons.includes(reason)) return 0;
  return openReasons.includes(reason) ? 2 : 1;
}

/** Whether what the row's own server says and does settles the case. */
export function isOwn({ reason, rivals }: Pick<Case, 'reason' | 'rivals'>): boolean {
  return rivals.length === 0 && weight(reason) === 0;
}

/** Whether the case is settled when its last rival has said that it has no copy. */
export function isAboutRivals({ reason }: Pick<Case, 'reason'>): boolean {
  return weight(reason) < 2;
}

/** The reason of a case that is rung for once more: what takes more to be settled is not forgotten for less. */
export function weightier(open: Case | undefined, reason: string): string {
  return open && weight(open.reason) > weight(reason) ? open.reason : reason;
}

/**
 * The case after something has rung for it. Never twice at the same time, so that whoever looks into it sees that it was
 * rung for since. `now` in milliseconds since 1970.
 */
export function rungFor(
  open: Case | undefined,
  ring: Omit<Case, 'since' | 'rung' | 'behind' | 'waiting'>,
  now: number,
): Case {
  const times = { since: open?.since ?? now, rung: open ? Math.max(now, open.rung + 1) : now };
  const reason = weightier(open, ring.reason);
  const own = [ring.reason, open?.behind, open?.reason].find((one) => one !== undefined && weight(one) === 0);
  return { ...ring, reason, ...times, ...(own === undefined || weight(reason) === 0 ? {} : { behind: own }) };
}

/** A case in which something new is known: what it waited for is to be found out anew. */
export function renewed({ waiting, ...open }: Case, rivals: readonly Rival[]): Case {
  return { ...open, rivals };
}

/** What is left of a case that was about rivals, when the last of them has said that it has no copy. */
export function withoutRivals({ waiting, behind, ...open }: Case): Case | undefined {
  return behind === undefined ? undefined : { ...open, reason: behind, rivals: [] };
}

/** What a server is on record for as a rival, as rows that are reserved there: LIST shows them to its push. */
export function rivalRows(cases: readonly Case[], server: Bytes): Entry[] {
  return cases.flatMap(({ name, rivals }) =>
    rivals
      .filter((rival) => rival.server === server)
      .map(({ location, acl }) => ({ name, state: 'contested', location, acl, version: 0 })),
  );
}

/** The server of a LIST of all that one server has, `S!`; undefined for any other prefix of a location. */
export function wholeServer(locationPrefix: Bytes): Bytes | undefined {
  return /^([^!]+)!$/s.exec(locationPrefix)?.[1];
}

/** The order of cases: the oldest first. */
export function byAge(a: Case, b: Case): number {
  return a.since - b.since || (a.name < b.name ? -1 : 1);
}
