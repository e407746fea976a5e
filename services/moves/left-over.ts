// Whether what a server has of a tree may be removed there: only what is proven to be whole elsewhere, and has waited. Pure.
import { readable } from '../address/bytes.ts';
import { isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import type { KeptFinding } from './audit.ts';

/** What is known of mailboxes that a server is to forget, whatever proves that it may. */
export interface Remains {
  tree: Bytes;
  server: Bytes;
  /** As the audits have kept it: what they have found there of the kind that may go, else what they have found else. */
  finding: KeptFinding | undefined;
  /** All rows of the tree. */
  rows: readonly Entry[];
  /** All that the server lists of the tree. */
  held: readonly Bytes[];
  /** Somebody moves the tree, or may: an open move, or a lease. */
  moving: string | undefined;
  /** Since when the server is to remove it by an order of before that it has not answered; undefined where there is none. */
  removing: KeptFinding | undefined;
  /** How long it has to wait after it was found first, in milliseconds; 0 where an administrator does not want to wait. */
  retention: number;
  /** In milliseconds since 1970. */
  now: number;
}

/** All that is known of a left-over at the moment at which it is to go. */
export interface DiscardFacts extends Remains {
  /**
   * What the active copy lacks of the left-over; none means that it has all of it. Undefined: the copies were not compared,
   * and `uncompared` says why.
   */
  differences: readonly string[] | undefined;
  uncompared: string;
}

/** One thing that has to be so. */
export interface Proof {
  what: string;
  is: boolean;
  note: string;
}

/** The server at which all of it is active, or of the tree where none of it is held; undefined where there is no such one. */
export function activeAt(rows: readonly Entry[], held: readonly Bytes[]): Bytes | undefined {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const servers = new Set(
    meantBy(rows, held).map((name) => {
      const row = byName.get(name);
      return row?.state === 'active' ? serverOf(row.location) : undefined;
    }),
  );
  const [server] = servers;
  return servers.size === 1 ? server : undefined;
}

function meantBy(rows: readonly Entry[], held: readonly Bytes[]): readonly Bytes[] {
  return held.length > 0 ? held : rows.filter((row) => !isGrave(row)).map(({ name }) => name);
}

/** All that has to be so before a left-over may go; it may if all of it is. */
export function proofsOf(facts: DiscardFacts): Proof[] {
  const common = [found(facts, 'left-over'), waited(facts), heldThere(facts)];
  return [...common, elsewhere(facts), still(facts), unordered(facts), covered(facts)];
}

/** An order that has come to nothing yet may be carried out at any time, and whatever is done meanwhile proves nothing of it. */
export function unordered({ removing, server }: Remains): Proof {
  const what = 'no order of before is open';
  if (!removing) return { what, is: true, note: 'it was not told, or has answered' };
  const since = new Date(removing.since).toISOString();
  const cure = 'see that no process there is at it any more (a restart of Cyrus does that), then: --settled REASON';
  return { what, is: false, note: `${readable(server)} was told at ${since}, and has not answered: ${cure}` };
}

export function found({ finding, server, tree }: Remains, kind: 'left-over' | 'unknown'): Proof {
  const what = 'an audit has found it';
  const [name, at] = [readable(tree), readable(server)];
  if (finding?.kind === kind) return { what, is: true, note: `first at ${new Date(finding.since).toISOString()}` };
  if (finding?.kind === 'unknown') {
    const deleted = `a copy of who was deleted is removed by --deleted, with the reason`;
    return { what, is: false, note: `the directory does not know it, so nobody else has it: ${deleted}` };
  }
  if (finding?.kind === 'unasked') {
    return { what, is: false, note: `${at} was silent when its move ended: rookery move audit ${name} asks it` };
  }
  const wanted = kind === 'unknown' ? 'anything that the directory does not know' : 'a left-over';
  return { what, is: false, note: `no audit has found ${wanted} at ${at}: rookery move audit ${name}` };
}

export function waited({ finding, retention, now }: Remains): Proof {
  const what = 'it has waited';
  if (retention === 0) return { what, is: true, note: 'it is not to wait' };
  const age = finding ? now - finding.since : 0;
  return { what, is: age >= retention, note: `${days(age)} of ${days(retention)}` };
}

function days(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 86_400_000).toFixed(1)} days`;
}

export function heldThere({ held, server }: Remains): Proof {
  const note = `${readable(server)} lists ${held.length} mailboxes of it`;
  return { what: 'the server has it', is: held.length > 0, note };
}

/** What the server would lose must all be active at one other server; and nothing of the tree is its own. */
function elsewhere({ rows, held, server }: DiscardFacts): Proof {
  const what = 'it is active elsewhere';
  const own = ownOf({ rows, server });
  if (own !== undefined) return { what, is: false, note: own };
  const at = activeAt(rows, held);
  if (at !== undefined) return { what, is: true, note: `all at ${readable(at)}` };
  const names = meantBy(rows, held);
  if (names.length === 0) return { what, is: false, note: 'the directory has nothing of it' };
  const states = new Map(rows.map((row) => [row.name, row]));
  const without = names.find((name) => states.get(name)?.state !== 'active');
  const note =
    without === undefined
      ? `at several servers: ${spread(rows, names)}`
      : `${readable(without)} is ${states.get(without)?.state ?? 'not in the directory'}`;
  return { what, is: false, note };
}

/** Why the server has a right to some of the tree; undefined where it has none. */
export function ownOf({ rows, server }: Pick<Remains, 'rows' | 'server'>): string | undefined {
  const own = rows.filter((row) => !isGrave(row) && serverOf(row.location) === server);
  if (own.length === 0) return undefined;
  return `the directory has ${own.length} mailboxes of the tree at ${readable(server)} (${readable(own[0]?.name ?? '')})`;
}

/** How many servers are named, and mailboxes of each. */
const mostNamed = 3;

/** Which of them are active where, a few of each. */
function spread(rows: readonly Entry[], held: readonly Bytes[]): string {
  const there = rows.filter(({ name }) => held.includes(name));
  const servers = [...new Set(there.map(({ location }) => serverOf(location)))];
  const named = servers.slice(0, mostNamed).map((server) => {
    const names = there.filter(({ location }) => serverOf(location) === server).map(({ name }) => readable(name));
    return `${few(names)} at ${readable(server)}`;
  });
  return `${named.join('; ')}${servers.length > mostNamed ? `; and at ${servers.length - mostNamed} more` : ''}`;
}

function few(names: readonly string[]): string {
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `${names.slice(0, mostNamed).join(', ')}${more}`;
}

export function still({ moving }: Remains): Proof {
  return { what: 'nobody moves it', is: moving === undefined, note: moving ?? 'no open move, no lease' };
}

function covered({ differences, uncompared }: DiscardFacts): Proof {
  const what = 'the active copy has all of it';
  if (!differences) return { what, is: false, note: uncompared };
  const [first] = differences;
  if (first === undefined) return { what, is: true, note: 'compared message by message' };
  return { what, is: false, note: `${differences.length} differences: ${first}` };
}
