// An order: what is wanted of a user, how far that has come, and its next step. Every step may be taken twice.
import { readable } from '../address/bytes.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';

export type Wish =
  | {
      is: 'create';
      /** Where, as far as the one who orders it minds. */
      server?: Bytes;
      partition?: Bytes;
      zone?: string;
      /** In KiB, in place of what new users get. */
      quota?: number;
    }
  | { is: 'delete' }
  | { is: 'rename'; to: Bytes };

/** Server and partition; an empty partition leaves the choice to the server. */
export interface Place {
  server: Bytes;
  partition: Bytes;
}

/** A server that a new user was meant for, and did not get. */
export interface Passed {
  server: Bytes;
  /** It has refused him for certain, and does not hold him; or it was not reached, and may be by the next attempt. */
  is: 'refused' | 'silent';
  why: string;
}

export interface Order {
  /** The user's INBOX: `user.jdoe`. */
  name: Bytes;
  wish: Wish;
  /** Who has ordered it, and when, in milliseconds since 1970. */
  by: Bytes;
  since: number;
  /**
   * What was refused stays for people to see; to try it again opens it again. What was cancelled stays so, unless it had begun
   * and its server turns out to have made the user all the same.
   */
  state: 'open' | 'done' | 'refused' | 'cancelled';
  /** Of a creation: what was chosen. Of the others: where the user was when they began, or when the same was done before. */
  place?: Place;
  /** The server of the place may have been told: from now on nobody else may be, unless it has refused for certain. */
  begun: boolean;
  /**
   * Of a deletion or a rename: the change that the user's row was of when it was ordered; 0: there was none. Another one is
   * another user's, also where the order itself comes back with an older copy of its Redis.
   */
  version?: number;
  /** The server has said that all is done there. */
  made: boolean;
  /** Servers of which another one was chosen instead. */
  passed: readonly Passed[];
  /** What it waits for, why it failed last, or how it ended; for people. */
  note: string;
}

/** What the directory says of a name. */
export interface Seen {
  row: Entry | undefined;
  /** Without a row: why that proves no absence; undefined where it does. */
  doubt: string | undefined;
}

/** All that a step is decided by. */
export interface Facts {
  user: Seen;
  /** Of a rename: the new name. */
  target?: Seen;
  /** How many folders of the user the directory still has, tombstones left out. */
  folders: number;
  /** When data of the directory were lost last, in milliseconds since 1970; rows, and orders, may have come back since. */
  lost?: number;
  /** Of a deletion or a rename: that a move of him is open, as it can stand after a name. */
  moving?: string;
  /** Why rows may be those from before a loss; undefined where their servers have spoken since. */
  distrust?: string;
  /** Whether this server's rows are written by us: it speaks no MUPDATE. */
  isSilent: (server: Bytes) => boolean;
  /** Whether we tell this server nothing, for it speaks no MUPDATE and no administrator of it is known: only rows are ours. */
  isUntold: (server: Bytes) => boolean;
}

/**
 * `choose`: a place is to be chosen, with none of those that have passed. `tell`: the server is to carry the order out,
 * or what of it is left; `version` is that of the row for which this holds. It has done so: `push`: it is to tell the
 * directory; `write`: it speaks no MUPDATE, and we write its rows. `refuse`: it can't be done, now or later.
 */
export type Step =
  | { do: 'choose' }
  | { do: 'tell'; at: Place; version?: number }
  | { do: 'push' | 'write'; at: Place }
  | { do: 'wait'; why: string }
  | { do: 'finish'; note: string }
  | { do: 'refuse'; why: string };

export function nextStep(order: Order, facts: Facts): Step {
  if (order.state === 'done') return finish(order.note);
  switch (order.wish.is) {
    case 'create':
      return ofCreation(order, order.wish, facts);
    case 'delete':
      return ofDeletion(order, facts);
    case 'rename':
      return ofRename(order, order.wish, facts);
  }
}

/**
 * The order as it follows the one before of the same user. A creation that was refused half-way goes on where it was: its
 * server may have been told, and may have part of him. A rename that was done, and is ordered once more, knows where: who is
 * there under the new name is him, and nobody in his way.
 */
export function following(order: Order, before: Order | undefined): Order {
  if (!before?.place) return order;
  const { wish } = order;
  const { state, begun, place } = before;
  if (wish.is === 'create' && before.wish.is === 'create' && state === 'refused' && begun)
    return { ...order, begun, place };
  const isAgain = wish.is === 'rename' && before.wish.is === 'rename' && wish.to === before.wish.to && state === 'done';
  return isAgain ? { ...order, place } : order;
}

function ofCreation(order: Order, wish: Wish & { is: 'create' }, facts: Facts): Step {
  const { row, doubt } = facts.user;
  const { place } = order;
  const isMeant = wish.server === undefined || wish.server === place?.server;
  const ours =
    place !== undefined && order.begun && isMeant && (row === undefined || serverOf(row.location) === place.server);
  if (row?.state === 'active') {
    if (ours) return order.made ? finish(madeText(row, facts)) : { do: 'tell', at: place };
    return alreadyAt(row, wish);
  }
  if (ours && order.made) return facts.isSilent(place.server) ? { do: 'write', at: place } : { do: 'push', at: place };
  // What an earlier attempt of ours has reserved.
  if (ours && row?.state === 'created') return { do: 'tell', at: place };
  if (row) return wait(underWay(row));
  if (place && !isMeant)
    return {
      do: 'refuse',
      why: `it was begun at ${readable(place.server)}, which may have it: order it there, or delete it`,
    };
  // A mailbox that the directory does not have yet may be anywhere: a second one would be made.
  if (doubt !== undefined) return wait(doubt);
  return place ? { do: 'tell', at: place } : { do: 'choose' };
}

function madeText({ location }: Entry, { isUntold }: Facts): string {
  const at = `at ${readable(location)}`;
  if (!isUntold(serverOf(location))) return at;
  return `${at}: its server has no imap in the configuration, and only its row is written; make the mailbox there yourself`;
}

/** Somebody else has made it: what was wanted, unless it was wanted elsewhere. What else was wanted it may have or not. */
function alreadyAt(row: Entry, { server, partition, zone, quota }: Wish & { is: 'create' }): Step {
  const at = placeOf(row);
  if (server !== undefined && server !== at.server)
    return { do: 'refuse', why: `it is at ${readable(at.server)}, and not at ${readable(server)}: move it` };
  if (partition !== undefined && partition !== at.partition)
    return { do: 'refuse', why: `it is at ${readable(row.location)}, and not on ${readable(partition)}: move it` };
  const left = [...(zone === undefined ? [] : ['zone']), ...(quota === undefined ? [] : ['quota'])];
  const untouched = left.length === 0 ? '' : `; its ${left.join(' and ')} stays as it is`;
  return finish(`it is there already, at ${readable(row.location)}${untouched}`);
}

function ofDeletion(order: Order, facts: Facts): Step {
  const { row, doubt } = facts.user;
  if (row?.state === 'active') {
    if (order.made)
      return isOurs(order, row, facts) ? { do: 'write', at: placeOf(row) } : finish('deleted, and there again');
    return toItsServer(order, row, facts);
  }
  if (row) return wait(facts.moving ?? underWay(row));
  if (doubt !== undefined) return wait(doubt);
  if (facts.folders > 0) return wait(`${facts.folders} of its folders are left`);
  return order.begun ? finish('deleted') : finish('there is no such user');
}

function ofRename(order: Order, { to }: Wish & { is: 'rename' }, facts: Facts): Step {
  const { user, target } = facts;
  const arrived = target?.row;
  // What was renamed before, and is ordered once more (see `following`), is his where the old name is nobody's.
  const isKnown = order.begun || user.row === undefined;
  const ours = isKnown && arrived && serverOf(arrived.location) === order.place?.server;
  if (arrived && !ours)
    return { do: 'refuse', why: `${readable(to)} is there already, at ${readable(arrived.location)}` };
  if (user.row?.state === 'active') {
    if (!arrived && target?.doubt !== undefined) return wait(target.doubt);
    if (order.made) return finish('renamed, and there again');
    const at = serverOf(user.row.location);
    if (facts.isSilent(at))
      return { do: 'refuse', why: `${readable(at)} speaks no MUPDATE: its users are renamed there` };
    return toItsServer(order, user.row, facts);
  }
  if (arrived?.state === 'active') {
    return facts.folders > 0
      ? wait(`${facts.folders} of its folders are left`)
      : finish(`at ${readable(arrived.location)}`);
  }
  if (arrived) return wait(underWay(arrived));
  if (user.row) return wait(facts.moving ?? underWay(user.row));
  if (user.doubt !== undefined) return wait(user.doubt);
  return { do: 'refuse', why: 'there is no such user' };
}

/** Whether it is the row of what a server that speaks no MUPDATE has deleted: nobody but us takes it away. */
function isOurs(order: Order, row: Entry, { isSilent }: Facts): boolean {
  return row.version === order.version && isSilent(serverOf(row.location));
}

function toItsServer(order: Order, row: Entry, { lost, moving, distrust }: Facts): Step {
  // It may have been done already, and the name be another user's by now.
  if (lost !== undefined && order.since <= lost) {
    return { do: 'refuse', why: 'it was ordered before data were lost: order it again' };
  }
  if ((order.begun || order.version !== undefined) && row.version !== order.version) {
    const then = moving === undefined ? 'order it again' : `${moving}; order it again when that is over`;
    return { do: 'refuse', why: `it has changed since this was ordered: ${then}` };
  }
  // Both would tell servers of him at the same time.
  if (!order.begun && moving !== undefined) return wait(moving);
  if (!order.begun && distrust !== undefined) return wait(`directory not trusted: ${distrust}`);
  return { do: 'tell', at: placeOf(row), version: row.version };
}

function placeOf({ location }: Entry): Place {
  const server = serverOf(location);
  return { server, partition: location.slice(server.length + 1) };
}

function underWay({ state, location }: Entry): string {
  const words = { created: 'reserved', handed: 'being moved', contested: 'contested', tombstone: 'being deleted' };
  return `it is ${state === 'active' ? state : words[state]} at ${readable(location)}`;
}

function finish(note: string): Step {
  return { do: 'finish', note };
}

function wait(why: string): Step {
  return { do: 'wait', why };
}
