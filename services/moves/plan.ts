// A plan of moves as a value: what is to go where, how much that is and how long it will take, and what can't be moved and why.
import { isGrave, partitionOf, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import { isUser } from '../address/user-name.ts';
import type { Place } from './move.ts';
import type { Rate } from './plan-rate.ts';

/**
 * How its size is known: by the server's `quota`, `counted` mailbox by mailbox, as the `mean` of the others, or `not` at all
 * (then 0 octets stand for it).
 */
export type Sized = 'quota' | 'counted' | 'mean' | 'not';

export interface PlannedMove {
  /** The root of the tree: a user's INBOX, or one shared mailbox. */
  name: Bytes;
  from: Place;
  /** An empty partition leaves the choice to the server. */
  to: Place;
  octets: number;
  sized: Sized;
  /** Undefined where they are not known. */
  messages?: number;
  /** The version of the root's row (Entry.version). */
  version: number;
  /** How long it is expected to take, in seconds. */
  seconds: number;
}

/** What was looked at and is not to be moved; `why` is a phrase. */
export interface LeftOut {
  name: Bytes;
  why: string;
}

/** Of moves at a time; a partition counts as source and as destination. */
export interface PlanLimits {
  total: number;
  perSource: number;
  perDestination: number;
  perPartition: number;
  /** Of all moves together; 0: no limit. */
  bytesPerSecond: number;
}

export interface Totals {
  moves: number;
  octets: number;
  /** Of those moves whose messages are known. */
  messages: number;
  /** Moves whose size is the mean of the others', or not known at all. */
  guessed: number;
  leftOut: number;
  /** How long all of it is expected to take under the limits, in seconds, without windows of time. */
  seconds: number;
}

export interface Plan {
  /** When it was made, in milliseconds since 1970. */
  made: number;
  by: Bytes;
  /** What was asked for, for people. */
  asked: string;
  /** The directory that it was made by: its epoch, and how far each shard's change log went before anything was read. */
  directory: { epoch: number; position: readonly { seq: number; nonce: string }[] };
  /** Servers of which all is to go, so that whatever comes there later is missing in the plan. */
  emptied: readonly Bytes[];
  /** All that send or receive, in the order of their names. */
  servers: readonly Bytes[];
  limits: PlanLimits;
  rate: Rate;
  totals: Totals;
  /** What whoever reads it should know; sentences. */
  notes: readonly string[];
  /** In the order in which they are to begin. */
  moves: readonly PlannedMove[];
  leftOut: readonly LeftOut[];
  /** Who has edited the file since, and when, in milliseconds since 1970: by `rookery move plan --rehash`. */
  edited?: { by: Bytes; at: number };
}

/** `server!partition`, as in a row's location. */
export function locationOf({ server, partition }: Place): Bytes {
  return `${server}!${partition}`;
}

export function placeAt(location: Bytes): Place {
  return { server: serverOf(location), partition: partitionOf(location) };
}

/** Whether a tree that is at one place is at the other already. */
export function alreadyAt(from: Place, to: Place): boolean {
  return from.server === to.server && (to.partition === '' || to.partition === from.partition);
}

export function serversIn(moves: readonly PlannedMove[]): Bytes[] {
  const all = new Set<Bytes>();
  for (const { from, to } of moves) all.add(from.server).add(to.server);
  return [...all].sort();
}

export function totalsOf(moves: readonly PlannedMove[], leftOut: readonly LeftOut[], seconds: number): Totals {
  const totals = { moves: moves.length, octets: 0, messages: 0, guessed: 0, leftOut: leftOut.length, seconds };
  for (const { octets, messages = 0, sized } of moves) {
    totals.octets += octets;
    totals.messages += messages;
    if (sized === 'mean' || sized === 'not') totals.guessed += 1;
  }
  return totals;
}

/**
 * How a row differs from what was planned by. `changed`: another version at the same place, which is an ACL, or a mailbox
 * deleted and made anew. `came`: at a server that is to be emptied, and not in the plan.
 */
export type DriftKind = 'gone' | 'moved' | 'arrived' | 'reserved' | 'changed' | 'came';

export interface Drifted {
  name: Bytes;
  kind: DriftKind;
  /** A phrase. */
  why: string;
}

export interface Drift {
  rows: Drifted[];
  /** Of the plan's moves, in percent, what is beyond 100 included; 0 for a plan without moves that still holds. */
  percent: number;
}

/** What has changed since the plan was made, by the rows of its names, and of servers that are to be emptied, as they are now. */
export function changedSince(plan: Plan, rows: Iterable<Entry>): Drift {
  const now = new Map<Bytes, Entry>();
  for (const row of rows) now.set(row.name, row);
  const drifted = plan.moves.flatMap((move) => driftOf(move, now.get(move.name)) ?? []);
  const came = newcomers(plan, now.values());
  const all = [...drifted, ...came];
  const percent = all.length === 0 ? 0 : (100 * all.length) / Math.max(1, plan.moves.length);
  return { rows: all, percent };
}

function driftOf({ name, from, to, version }: PlannedMove, row: Entry | undefined): Drifted | undefined {
  if (!row || isGrave(row)) return { name, kind: 'gone', why: 'it was deleted, or renamed' };
  if (row.state === 'tombstone') return { name, kind: 'gone', why: 'it is being deleted, or renamed' };
  if (row.state !== 'active') return { name, kind: 'reserved', why: `its row is ${row.state}, at ${row.location}` };
  const at = placeAt(row.location);
  if (alreadyAt(at, to)) return { name, kind: 'arrived', why: `it is at ${row.location} already` };
  if (at.server !== from.server || at.partition !== from.partition) {
    return { name, kind: 'moved', why: `it is at ${row.location}, and not at ${locationOf(from)}` };
  }
  if (row.version === version) return undefined;
  return { name, kind: 'changed', why: `its row has changed (${version}, now ${row.version}): its ACL, or made anew` };
}

function newcomers({ emptied, moves, leftOut, edited }: Plan, rows: Iterable<Entry>): Drifted[] {
  if (emptied.length === 0) return [];
  const known = new Set([...moves, ...leftOut].map(({ name }) => name));
  const came: Drifted[] = [];
  const has = edited ? 'has come to, or changed at,' : 'has come to';
  for (const { name, state, location } of rows) {
    const server = serverOf(location);
    if (state !== 'active' || !emptied.includes(server) || !isRoot(name) || known.has(name)) continue;
    came.push({ name, kind: 'came', why: `it ${has} ${server}, which is to be emptied` });
  }
  return came;
}

/** `1 tree`, `2 trees`. */
export function treesText(count: number): string {
  return count === 1 ? '1 tree' : `${count} trees`;
}

/** What is moved as one: a user's INBOX takes its folders along, a shared mailbox goes by itself, what was deleted does not. */
export function isRoot(name: Bytes): boolean {
  return isUser(name) || (placeOf(name).shared && !/^(?:[^!]*!)?DELETED(?:\.|$)/.test(name));
}
