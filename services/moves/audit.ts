// The audit of a tree: what the directory says of it, held against what servers list, name by name. Pure.
import { readable } from '../address/bytes.ts';
import { isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';

/**
 * `left-over`: a server has mailboxes that are active at another one. `missing`: the directory says that a server has them,
 * and it has not. `unknown`: a server has what the directory does not know. `elsewhere`: they are not where their move has
 * ended. `unsettled`: they are reserved, being deleted, or on their way, so that nobody can tell yet. `unasked`: the server
 * was silent when their move ended, so that whether it has kept anything is to be found out; no audit finds that. `removing`:
 * the server was told to remove them, and has not answered, so that it may do so at any time; no audit ends that.
 */
export const findingKinds = [
  'left-over',
  'missing',
  'unknown',
  'elsewhere',
  'unsettled',
  'unasked',
  'removing',
] as const;
export type FindingKind = (typeof findingKinds)[number];

/** What moves as one: a user with all folders, or one shared mailbox. */
export function movedAs(name: Bytes): Bytes {
  const { tree, shared } = placeOf(name);
  return shared ? name : tree;
}

/** Mailboxes of one tree that are not right at one server. */
export interface Finding {
  kind: FindingKind;
  /** Its root, or the one shared mailbox. */
  tree: Bytes;
  server: Bytes;
  /** Where the directory says that they are, if that is another server. */
  at?: Bytes;
  names: readonly Bytes[];
}

/** What a server says of a tree. */
export type Listing = { is: 'told'; names: readonly Bytes[] } | { is: 'silent'; why: string };

export interface TreeFacts {
  tree: Bytes;
  /** All rows of the tree. */
  rows: readonly Entry[];
  /** What servers list of it, by server: of those that are not in it nothing is found. */
  lists: ReadonlyMap<Bytes, Listing>;
  /** Where it was when its move ended; left out where nobody says. */
  expected?: Bytes | undefined;
}

/** All that is not right. Silence is no proof of anything: of a server that is silent nothing is found. */
export function auditTree(facts: TreeFacts): Finding[] {
  const rows = new Map(facts.rows.filter((row) => !isGrave(row)).map((row) => [row.name, row]));
  const found = new Map<string, { finding: Finding; names: Set<Bytes> }>();
  const note = (kind: FindingKind, server: Bytes, name: Bytes, at?: Bytes): void => {
    const key = JSON.stringify([kind, server, at]);
    const finding = { kind, tree: facts.tree, server, ...(at !== undefined && { at }), names: [] };
    const known = found.get(key) ?? { finding, names: new Set<Bytes>() };
    known.names.add(name);
    found.set(key, known);
  };
  for (const row of rows.values()) noteRow(row, facts, note);
  for (const [server, listing] of facts.lists) {
    if (listing.is === 'told') for (const name of listing.names) noteListed(name, rows.get(name), server, note);
  }
  return [...found.values()].map(({ finding, names }) => ({ ...finding, names: [...names].sort() }));
}

type Note = (kind: FindingKind, server: Bytes, name: Bytes, at?: Bytes) => void;

function noteRow({ name, state, location }: Entry, { lists, expected }: TreeFacts, note: Note): void {
  const server = serverOf(location);
  if (state !== 'active') {
    note('unsettled', server, name);
    return;
  }
  const listing = lists.get(server);
  if (listing?.is === 'told' && !listing.names.includes(name)) note('missing', server, name);
  if (expected !== undefined && expected !== server) note('elsewhere', expected, name, server);
}

function noteListed(name: Bytes, row: Entry | undefined, server: Bytes, note: Note): void {
  if (!row) note('unknown', server, name);
  else if (row.state !== 'active') note('unsettled', server, name);
  else if (serverOf(row.location) !== server) note('left-over', server, name, serverOf(row.location));
}

/** A finding as it is kept: since when it was found at each look, and when it was seen last, in milliseconds since 1970. */
export interface KeptFinding extends Finding {
  since: number;
  seen: number;
}

/**
 * What is kept of a tree after a look at some servers: what was found there before and is not any more is forgotten, what
 * is found again keeps its age; of servers that were not asked, or are silent, all stays, and so does `removing`.
 */
export function afterLook(
  kept: readonly KeptFinding[],
  found: readonly Finding[],
  asked: ReadonlySet<Bytes>,
  now: number,
): KeptFinding[] {
  const stays = kept.filter(({ kind, server }) => kind === 'removing' || !asked.has(server));
  const fresh = found
    .filter(({ kind, server }) => kind !== 'removing' && asked.has(server))
    .map((finding) => {
      const since = kept.find((one) => isSame(one, finding))?.since ?? now;
      return { ...finding, since: Math.min(since, now), seen: now };
    });
  return [...stays, ...fresh];
}

/** Whether a server was told to remove the tree, and has not answered. */
export function isRemoving({ kind, server }: Finding, there: Bytes): boolean {
  return kind === 'removing' && server === there;
}

/** Why nothing is brought there meanwhile: that order could remove it, and it would be the only copy. */
export function removingText(tree: Bytes, server: Bytes): string {
  const [name, at] = [readable(tree), readable(server)];
  return `${at} was told to remove what it had of ${name}, and has not answered: rookery move discard ${name} --server ${at} --settled REASON`;
}

/** Whether it is the same left-over: of a tree that has moved on since it is another one, and as young. */
function isSame(one: Finding, other: Finding): boolean {
  return one.kind === other.kind && one.tree === other.tree && one.server === other.server && one.at === other.at;
}
