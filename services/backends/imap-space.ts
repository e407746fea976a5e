// How much room a Cyrus server says it has for mail.
import type { Bytes } from '../address/bytes.ts';
import { readable } from '../address/bytes.ts';
import type { ImapSession } from './imap-session.ts';
import { answerAbout, pairsOf } from './imap-words.ts';

/** In KiB; `availableKiB` is what is left to others than root. */
export interface Space {
  availableKiB: number;
  totalKiB: number;
}

export interface FreeSpace {
  /** All partitions together, those on one filesystem counted once. */
  total: Space;
  /** The partition of which the smallest part is used. */
  emptiest: Space;
}

const folder = '/shared/vendor/cmu/cyrus-imapd/freespace';

/**
 * What was found on Cyrus 3.6.1, and is tested on it:
 *
 * - The server annotations `freespace` (KiB available), `freespace/total` and `freespace/percent/most` (both
 *   `available;total` in KiB) are told by GETMETADATA; GETANNOTATION is `Permission denied`, to an administrator, too.
 * - There are no figures of single partitions by name, and nothing tells which one is the emptiest.
 * - A partition that cannot be looked at ends the count: those behind it, in an order that each imapd has for itself, are
 *   missing from the figures, which are `0;0` where it comes first.
 * - Each imapd looks once in its life and repeats that for as long as it serves connections, unless `imapd.conf` has
 *   `partition_select_usage_reinit: 1`: without it the figures may be hours old.
 */
export async function freeSpace(session: ImapSession): Promise<FreeSpace> {
  const [total, emptiest] = [`${folder}/total`, `${folder}/percent/most`];
  const answer = await session.command(`GETMETADATA "" (${total} ${emptiest})`);
  const [values] = answerAbout(answer.untagged, 'METADATA', '') ?? [];
  const entries = Array.isArray(values) ? pairsOf(values) : undefined;
  if (answer.status !== 'OK' || !entries) throw session.unclear('GETMETADATA', 'its free space', answer);
  const found = new Map(entries);
  const unbelieved = (entry: Bytes, text: string) =>
    session.unclear('GETMETADATA', entry, { status: 'OK', text, untagged: [] });
  const space = (entry: Bytes): Space => {
    const read = spaceOf(found.get(entry) ?? '', session.access.mostSpaceKiB);
    if (typeof read === 'object') return read;
    throw unbelieved(entry, read);
  };
  const free = { total: space(total), emptiest: space(emptiest) };
  const doubt = contradiction(free);
  if (doubt !== undefined) throw unbelieved(emptiest, doubt);
  return free;
}

/** By how much of a server's room its two figures may differ: it looks twice, and its disks are in use meanwhile. */
const betweenLooks = 0.01;

/** Why a partition cannot have so much when all of them have so little; undefined when it can. */
export function contradiction({ total, emptiest }: FreeSpace): string | undefined {
  const told = ({ availableKiB, totalKiB }: Space) => `${availableKiB};${totalKiB}`;
  const isPart =
    emptiest.totalKiB <= total.totalKiB && emptiest.availableKiB <= total.availableKiB + betweenLooks * total.totalKiB;
  return isPart ? undefined : `"${told(emptiest)}" is more than all partitions have, "${told(total)}"`;
}

/** The figures in `available;total`; where they cannot be true, what is wrong with them. `most` is in KiB. */
export function spaceOf(value: Bytes, most = Infinity): Space | string {
  const said = JSON.stringify(readable(value.slice(0, 100)));
  const [, available, total] = /^(-?\d{1,15});(-?\d{1,15})$/.exec(value) ?? [];
  if (available === undefined || total === undefined) return `${said} is not available;total in KiB`;
  const space = { availableKiB: Number(available), totalKiB: Number(total) };
  if (space.totalKiB === 0) return `${said}: there is a partition that it cannot look at`;
  if (space.availableKiB < 0 || space.totalKiB < 0) return `${said} has less than nothing`;
  if (space.totalKiB > most) return `${said} is more than usage.most_space, ${most} KiB`;
  return space.availableKiB <= space.totalKiB ? space : `${said} has more available than there is`;
}
