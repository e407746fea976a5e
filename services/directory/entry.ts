// What the directory knows of one mailbox: its name, where it lives, in which state, and since which change.

import type { Bytes } from '../address/bytes.ts';

export type { Bytes } from '../address/bytes.ts';

/**
 * `active`: the mailbox exists there. `created`: reserved by RESERVE. `handed`: reserved by DEACTIVATE, the prior row
 * kept. `contested`: several servers said in their first push that they hold it. `tombstone`: deleted a moment ago, the
 * prior row kept. RFC 3656 knows all but the first and the last as "reserved".
 */
export type State = 'active' | 'created' | 'handed' | 'contested' | 'tombstone';

export interface Entry {
  name: Bytes;
  state: State;
  /** `server!partition`; the partition may be empty (`mail1!`, Cyrus' RENAME) or missing altogether (`mail1`). */
  location: Bytes;
  /** Cyrus' ACL: `identifier TAB rights TAB`, repeated; empty for a created row. */
  acl: Bytes;
  /** The number of the change that made the entry what it is, in its shard's change log. */
  version: number;
  /** The session that made the row what it is; only rows that are not active remember it. */
  session?: string;
  /** When that was, in milliseconds since 1970; only rows that are not active remember it. */
  since?: number;
  /** When that session ended, in milliseconds since 1970; of a tombstone only where it is unbound, or kept for lookups. */
  ended?: number;
  /** Of a handed row: its holder has said in a push that it does not have the mailbox any more. */
  released?: boolean;
  /** Of a tombstone: its session spoke for no server when it deleted the name. */
  unbound?: boolean;
}

/** The row a name has, without what its store knows by itself. */
export type Row = Omit<Entry, 'name' | 'version'>;

/** Whether it is what is kept for a while of a name that was deleted: a lookup's, and no row any more. */
export function isGrave({ state, ended, unbound }: Row): boolean {
  return state === 'tombstone' && ended !== undefined && unbound !== true;
}

/** The server of a location: what stands before the first `!`, or all of it. */
export function serverOf(location: Bytes): Bytes {
  const mark = location.indexOf('!');
  return mark < 0 ? location : location.slice(0, mark);
}

/** Whether a location is one of those that LIST asks for: `S!` asks for all of a server, also what names no partition. */
export function isUnder(location: Bytes, prefix: Bytes): boolean {
  return location.startsWith(prefix) || (prefix.endsWith('!') && `${location}!` === prefix);
}

/** The partition of a location: what follows the first `!`; empty when there is none. */
export function partitionOf(location: Bytes): Bytes {
  const mark = location.indexOf('!');
  return mark < 0 ? '' : location.slice(mark + 1);
}

/**
 * The location after a write that names `given` for a row at `known` on the same server: an empty partition (`mail1!`,
 * as Cyrus' RENAME sends) never overwrites a known one.
 */
export function mergedLocation(known: Bytes, given: Bytes): Bytes {
  return serverOf(known) === serverOf(given) && partitionOf(given) === '' ? known : given;
}

/** A byte string from text, and back: UTF-8 on the outside, bytes inside. */
export function bytesFromText(text: string): Bytes {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function textFromBytes(bytes: Bytes): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
