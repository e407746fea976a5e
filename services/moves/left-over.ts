// Whether what a server has of a tree may be removed there: only what is proven to be whole elsewhere, and has waited. Pure.
import { readable } from '../address/bytes.ts';
import { isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import type { KeptFinding } from './audit.ts';

/** All that is known of a left-over at the moment at which it is to go. */
export interface DiscardFacts {
  tree: Bytes;
  server: Bytes;
  /** As the audits have kept it; undefined where none has found it. */
  finding: KeptFinding | undefined;
  /** All rows of the tree. */
  rows: readonly Entry[];
  /** All that the server lists of the tree. */
  held: readonly Bytes[];
  /** Somebody moves the tree, or may: an open move, or a lease. */
  moving: string | undefined;
  /**
   * What the active copy lacks of the left-over; none means that it has all of it. Undefined: the copies were not compared,
   * and `uncompared` says why.
   */
  differences: readonly string[] | undefined;
  uncompared: string;
  /** How long it has to wait after it was found first, in milliseconds; 0 where an administrator does not want to wait. */
  retention: number;
  /** In milliseconds since 1970. */
  now: number;
}

/** One thing that has to be so. */
export interface Proof {
  what: string;
  is: boolean;
  note: string;
}

/** The server at which all of it is active; undefined where there is no such one. */
export function activeAt(rows: readonly Entry[], held: readonly Bytes[]): Bytes | undefined {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const servers = new Set(
    held.map((name) => {
      const row = byName.get(name);
      return row?.state === 'active' ? serverOf(row.location) : undefined;
    }),
  );
  const [server] = servers;
  return servers.size === 1 ? server : undefined;
}

/** All that has to be so before a left-over may go; it may if all of it is. */
export function proofsOf(facts: DiscardFacts): Proof[] {
  return [found(facts), waited(facts), heldThere(facts), elsewhere(facts), still(facts), covered(facts)];
}

function found({ finding, server }: DiscardFacts): Proof {
  const what = 'an audit has found it';
  if (!finding) return { what, is: false, note: `no audit has found a left-over at ${readable(server)}` };
  return { what, is: true, note: `first at ${new Date(finding.since).toISOString()}` };
}

function waited({ finding, retention, now }: DiscardFacts): Proof {
  const what = 'it has waited';
  if (retention === 0) return { what, is: true, note: 'it is not to wait' };
  const age = finding ? now - finding.since : 0;
  return { what, is: age >= retention, note: `${days(age)} of ${days(retention)}` };
}

function days(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 86_400_000).toFixed(1)} days`;
}

function heldThere({ held, server }: DiscardFacts): Proof {
  const note = `${readable(server)} lists ${held.length} mailboxes of it`;
  return { what: 'the server has it', is: held.length > 0, note };
}

/** What the server would lose must all be active at one other server; and nothing of the tree is its own. */
function elsewhere({ rows, held, server }: DiscardFacts): Proof {
  const what = 'it is active elsewhere';
  const own = rows.filter((row) => !isGrave(row) && serverOf(row.location) === server);
  if (own.length > 0) {
    const note = `the directory has ${own.length} mailboxes of the tree at ${readable(server)} (${readable(own[0]?.name ?? '')})`;
    return { what, is: false, note };
  }
  const at = activeAt(rows, held);
  if (at !== undefined) return { what, is: true, note: `all at ${readable(at)}` };
  const states = new Map(rows.map((row) => [row.name, row]));
  const without = held.find((name) => states.get(name)?.state !== 'active');
  const note =
    without === undefined
      ? 'at several servers'
      : `${readable(without)} is ${states.get(without)?.state ?? 'not in the directory'}`;
  return { what, is: false, note };
}

function still({ moving }: DiscardFacts): Proof {
  return { what: 'nobody moves it', is: moving === undefined, note: moving ?? 'no open move, no lease' };
}

function covered({ differences, uncompared }: DiscardFacts): Proof {
  const what = 'the active copy has all of it';
  if (!differences) return { what, is: false, note: uncompared };
  const [first] = differences;
  if (first === undefined) return { what, is: true, note: 'compared message by message' };
  return { what, is: false, note: `${differences.length} differences: ${first}` };
}
