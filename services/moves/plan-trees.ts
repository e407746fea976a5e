// What of a tree can be moved: looked at row by row, so that what can't is named with the reason and nothing is split.
import { readable } from '../address/bytes.ts';
import { isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { WalkedTree } from '../directory/tree.ts';
import type { Place } from './move.ts';
import { isRoot, placeAt } from './plan.ts';
import type { LeftOut, Sized } from './plan.ts';

/** A tree that may be moved. */
export interface Candidate {
  name: Bytes;
  from: Place;
  version: number;
  /** Whether it counts as a user of its server. */
  user: boolean;
  octets: number;
  messages?: number;
  sized: Sized;
  /** It is over its quota by now. */
  over?: boolean;
}

export interface Hindrances {
  /** The names of open cases. */
  cases: ReadonlySet<Bytes>;
  /** The names of moves that are open, and the runs that they belong to. */
  open: ReadonlyMap<Bytes, string | undefined>;
  /** The run that has a name still to move; undefined where none has. */
  waiting: (name: Bytes) => string | undefined;
  /** The users of whom an order is open: to be deleted or renamed, say. */
  ordered: ReadonlySet<Bytes>;
  /** Why nothing of a server can be moved, a phrase; undefined where it can. */
  unfitServer: (server: Bytes) => string | undefined;
}

export interface Looked {
  candidates: Candidate[];
  leftOut: LeftOut[];
}

/** What of a tree is to be moved: away from one server, where that is given, or wherever it is. */
export function lookAtTree({ tree, rows }: WalkedTree, server: Bytes | undefined, hindrances: Hindrances): Looked {
  const alive = rows.filter((row) => !isGrave(row) && !wasDeleted(row.name));
  if (placeOf(tree).shared && !wasDeleted(tree)) {
    const there = alive.filter(({ location }) => server === undefined || serverOf(location) === server);
    const each = there.map((row) => lookAtRoot(row, [row], hindrances));
    return {
      candidates: each.flatMap(({ candidates }) => candidates),
      leftOut: each.flatMap(({ leftOut }) => leftOut),
    };
  }
  const root = alive.find(({ name }) => name === tree);
  if (alive.length === 0) return onlyDeleted(tree, rows, server);
  const elsewhere = alive.find((row) => !root || serverOf(row.location) !== serverOf(root.location));
  if (root && !elsewhere) {
    return server === undefined || serverOf(root.location) === server ? lookAtRoot(root, alive, hindrances) : none;
  }
  return left(tree, splitText(root, elsewhere ?? alive[0]));
}

const none: Looked = { candidates: [], leftOut: [] };

function left(name: Bytes, why: string): Looked {
  return { candidates: [], leftOut: [{ name, why }] };
}

function wasDeleted(name: Bytes): boolean {
  return /^(?:[^!]*!)?DELETED(?:\.|$)/.test(name);
}

/** What is kept of a deleted mailbox goes with its user; without one it is removed in its own time by its server. */
function onlyDeleted(tree: Bytes, rows: readonly Entry[], server: Bytes | undefined): Looked {
  const kept = rows.filter((row) => !isGrave(row) && (server === undefined || serverOf(row.location) === server));
  const kind = `deleted; what is kept of it (mailboxes: ${kept.length}) stays until cyr_expire removes it`;
  return kept.length === 0 ? none : left(tree, kind);
}

function splitText(root: Entry | undefined, other: Entry | undefined): string {
  const where = other ? `${readable(other.name)} is at ${readable(serverOf(other.location))}` : 'it is nowhere';
  return root ? `it is at ${readable(serverOf(root.location))}, and ${where}` : `${where}, and there is no INBOX`;
}

/** A mailbox to be moved, with all that goes with it. */
function lookAtRoot(root: Entry, rows: readonly Entry[], hindrances: Hindrances): Looked {
  const { cases, open, ordered, unfitServer } = hindrances;
  const { name, location, version } = root;
  const from = placeAt(location);
  const unready = rows.find(({ state }) => state !== 'active');
  const doubtful = rows.find((row) => cases.has(row.name));
  if (!isRoot(name)) return left(name, 'it is neither a user nor a shared mailbox');
  if (unready) return left(name, unreadyText(unready, name));
  if (doubtful) return left(name, `${itOr(doubtful.name, name)} has an open case (rookery directory cases)`);
  if (open.has(name)) return left(name, openText(open.get(name)));
  const run = hindrances.waiting(name);
  if (run !== undefined) return left(name, `it waits to be moved by run ${run}: let that end, or cancel it`);
  if (ordered.has(name)) return left(name, 'an order of it is open (rookery user show)');
  const unfit = unfitServer(from.server);
  if (unfit !== undefined) return left(name, unfit);
  return { candidates: [{ name, from, version, user: !placeOf(name).shared, octets: 0, sized: 'not' }], leftOut: [] };
}

/** `run`: that the move belongs to. */
function openText(run: string | undefined): string {
  return run === undefined ? 'a move of it is open' : `a move of it is open, of run ${run}`;
}

function itOr(name: Bytes, root: Bytes): string {
  return name === root ? 'it' : readable(name);
}

function unreadyText({ name, state, location }: Entry, root: Bytes): string {
  const it = itOr(name, root);
  if (state === 'tombstone') return `${it} is being deleted`;
  if (state === 'contested') return `${it} is on two servers`;
  if (state === 'created') return `${it} is reserved at ${readable(location)}`;
  return `${it} is handed over by ${readable(location)}: an XFER of it is under way, or broke off`;
}
