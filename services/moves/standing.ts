// Where the directory has a tree that is to move: its root, and what of it is not where its root is. Pure.
import { readable } from '../address/bytes.ts';
import { isUser } from '../address/user-name.ts';
import { isGrave, partitionOf, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { isDeletedName } from '../directory/settling.ts';
import { placeOf } from '../directory/tree.ts';
import type { Move } from './move.ts';

/**
 * `source`, `destination`: active there. `handed`: by the source, which a cut does. `elsewhere`: active at a third place, or
 * handed by another server than the source. The others are the directory's own states.
 */
export type RootAt =
  'source' | 'handed' | 'destination' | 'elsewhere' | 'absent' | 'tombstone' | 'created' | 'contested';

export interface Standing {
  root: RootAt;
  /** Root's state and location, for people. */
  text: string;
  /** The session that has handed something of the tree over and goes on: a cut that still runs. */
  running?: string;
  /** What is handed by the source, in sessions that have ended; the root, too. */
  handed: readonly Bytes[];
  /** Folders that are active at the source, and at the destination. What was deleted and is kept does not count. */
  atSource: readonly Bytes[];
  atDestination: readonly Bytes[];
  /** What is active at the destination, on another partition than the one that is wanted; the root, too. */
  misplaced: readonly Bytes[];
  /** Folders that are at neither, or contested; each a phrase. */
  strange: readonly string[];
}

type Route = Pick<Move, 'name' | 'from' | 'to'>;

/** Whether nothing but the partition changes. */
export function isWithinServer({ from, to }: Pick<Move, 'from' | 'to'>): boolean {
  return from.server === to.server;
}

/** Whether a name goes along: a user's folders do, and what is kept of those deleted; a shared mailbox goes alone. */
export function goesAlong(root: Bytes, name: Bytes): boolean {
  return name === root || (isUser(root) && placeOf(name).tree === root);
}

/** From the rows of the tree; others are left out. */
export function standingOf(move: Route, rows: readonly Entry[]): Standing {
  const ours = rows.filter((row) => goesAlong(move.name, row.name) && !isGrave(row));
  const root = ours.find(({ name }) => name === move.name);
  const folders = ours.filter(({ name }) => name !== move.name);
  const handed = ours.filter((row) => row.state === 'handed' && serverOf(row.location) === move.from.server);
  const running = handed.find(({ ended }) => ended === undefined)?.session;
  const active = folders.filter(({ name, state }) => state === 'active' && !isDeletedName(name));
  const at = (place: RootAt) => active.filter((row) => placeIn(move, row) === place).map(({ name }) => name);
  const strange = folders.filter((row) => !isDeletedName(row.name) && isStrange(move, row));
  return {
    root: root ? rootAt(move, root) : 'absent',
    text: root ? described(root) : 'absent',
    ...(running !== undefined && { running }),
    handed: handed.filter(({ ended }) => ended !== undefined).map(({ name }) => name),
    ...{ atSource: at('source'), atDestination: at('destination') },
    misplaced: ours.filter((row) => isMisplaced(move, row)).map(({ name }) => name),
    strange: strange.map((row) => `${readable(row.name)} is ${described(row)}`),
  };
}

function described({ state, location }: Entry): string {
  return `${state} at ${readable(location)}`;
}

function rootAt(move: Route, root: Entry): RootAt {
  if (root.state === 'active') return placeIn(move, root);
  if (root.state === 'handed') return serverOf(root.location) === move.from.server ? 'handed' : 'elsewhere';
  return root.state;
}

/** Of an active row. Between servers a folder may be on whichever partition. */
function placeIn(move: Route, row: Entry): 'source' | 'destination' | 'elsewhere' {
  const server = serverOf(row.location);
  if (isWithinServer(move)) {
    if (server !== move.to.server) return 'elsewhere';
    return partitionOf(row.location) === move.to.partition ? 'destination' : 'source';
  }
  if (server === move.to.server) return 'destination';
  return server === move.from.server ? 'source' : 'elsewhere';
}

/** Where none is named, or none is known, any is right. Within a server such a row is at the source. */
function isMisplaced(move: Route, row: Entry): boolean {
  if (row.state !== 'active' || isWithinServer(move) || isDeletedName(row.name)) return false;
  const known = partitionOf(row.location);
  return placeIn(move, row) === 'destination' && ![known, ''].includes(move.to.partition) && known !== '';
}

function isStrange(move: Route, row: Entry): boolean {
  if (row.state === 'active') return placeIn(move, row) === 'elsewhere';
  if (row.state === 'handed') return serverOf(row.location) !== move.from.server;
  return row.state === 'contested';
}
