// What is certain about a name with an open case, from its row and from what the backends say: the verdict.
import { readable } from '../address/bytes.ts';
import { isOwn } from './case.ts';
import type { Case } from './case.ts';
import type { Resolution } from './directory.ts';
import { serverOf } from './entry.ts';
import type { Bytes, Row } from './entry.ts';
import { isExpired } from './ruling.ts';
import type { Times } from './rules.ts';

/**
 * What a backend says of a mailbox: it `has` it, it `lacks` it, it has it marked as `moving` to another server (an XFER
 * that goes on, or broke off), or nothing is known, for it could not be asked.
 */
export type Holding = 'has' | 'lacks' | 'moving' | 'unknown';

/** All that a verdict rests on. */
export interface Evidence {
  row: Row | undefined;
  open: Case;
  /** Of every server that could hold the mailbox, the row's and the rivals' among them. */
  holdings: ReadonlyMap<Bytes, Holding>;
  times: Times;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * `resolve` is certain, and is to be carried out; with `again`, it is half of the way, and the backends are to be asked
 * once more. `push`: the mailbox is at this server alone, and it is to activate its own row, after the row was handed
 * where another server has it; all others are no rivals of it. `wait` tells for what: for time, for a server to answer, or for an operator's word.
 */
export type Verdict =
  | { is: 'resolve'; action: Exclude<Resolution['action'], 'claim'>; forget: Bytes[]; again: boolean }
  | { is: 'push'; server: Bytes; hand: boolean; forget: Bytes[] }
  | { is: 'wait'; forget: Bytes[]; why: string };

/**
 * The verdict. Nothing is taken away before every server has said that it does not hold the mailbox, and an active row
 * only in two steps: once it is handed, a CREATE in between shows in the row.
 */
export function verdictOn(evidence: Evidence): Verdict {
  const { row, open, holdings } = evidence;
  const having = serversThat('has', holdings);
  const forget = open.rivals.map(({ server }) => server).filter((server) => holdings.get(server) === 'lacks');
  const wait = (why: string): Verdict => ({ is: 'wait', forget, why });
  const resolve = (action: Exclude<Resolution['action'], 'claim'>, again = false): Verdict => ({
    ...{ is: 'resolve', action, forget, again },
  });

  // What is about its own server alone needs no other's word.
  const own = row?.state === 'active' ? serverOf(row.location) : undefined;
  if (own !== undefined && isOwn(open) && holdings.get(own) === 'has') return resolve('close');
  const impeded = impediment(evidence);
  if (impeded !== undefined) return wait(impeded);
  const holder = row && serverOf(row.location);
  const [only] = having;
  if (only === undefined) {
    if (row?.state === 'active') return resolve('hand', true);
    return resolve(row ? 'remove' : 'close');
  }
  if (row?.state === 'active' && only === holder) return resolve('close');
  if (only === holder && (row?.state === 'tombstone' || row?.state === 'contested')) return resolve('restore');
  const duplicate = !row && open.rivals.some(({ server, kind }) => server === only && kind === 'duplicate');
  if (duplicate)
    return wait(`${readable(only)} holds a copy of what was deleted at another server: claim or remove it`);
  return {
    is: 'push',
    server: only,
    hand: row !== undefined && only !== holder,
    forget: serversThat('lacks', holdings),
  };
}

/** What stands in the way of any verdict; undefined where all that is to be known is known. */
function impediment({ row, holdings, times, now }: Evidence): string | undefined {
  if (row && row.state !== 'active' && row.state !== 'contested' && row.ended === undefined) {
    return `its session goes on: ${row.session ?? ''}`;
  }
  const having = serversThat('has', holdings);
  if (having.length > 1) return `${named(having)} hold it: claim it for one, and remove the other with LOCALDELETE`;
  const moving = serversThat('moving', holdings);
  if (moving.length > 0) return `${named(moving)} is in the midst of moving it: its next ctl_mboxlist -m settles that`;
  const unknown = serversThat('unknown', holdings);
  if (unknown.length > 0) return `${named(unknown)} could not be asked`;
  const reserved = having.length === 0 && row?.state === 'created' && !isExpired(row, times, now);
  return reserved ? 'its reservation has not expired' : undefined;
}

function serversThat(holding: Holding, holdings: ReadonlyMap<Bytes, Holding>): Bytes[] {
  return [...holdings].flatMap(([server, said]) => (said === holding ? [server] : [])).sort();
}

function named(servers: readonly Bytes[]): string {
  return servers.map(readable).join(' and ');
}
