// Whether a move between Cyrus servers can come about, looked at before anything of it is begun.
import { readable } from '../address/bytes.ts';
import { isUser } from '../address/user-name.ts';
import type { ImapAdmin } from '../backends/imap-admin.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import { versionOf } from '../backends/imap-move.ts';
import type { Bytes } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import { roomFor, sizeKiB } from './cyrus-room.ts';
import type { RoomMeans } from './cyrus-room.ts';
import type { Objection } from './driver.ts';
import type { Move } from './move.ts';

export interface Checking extends RoomMeans {
  admins: ImapAdmins;
}

const never = (why: string): Objection => ({ is: 'never', why });
const now = (why: string): Objection => ({ is: 'now', why });

/**
 * The first thing that stands against it; undefined when nothing does. Rejects where a server gave no answer. All is asked
 * at once, and counts in this order.
 */
export async function objectionTo(move: Move, checking: Checking): Promise<Objection | undefined> {
  const unnameable = names(move);
  if (unnameable) return unnameable;
  const looks = [source, destination, versions, partition, roomFor, quota];
  const answers = await Promise.allSettled(looks.map((look) => look(move, checking)));
  for (const answer of answers) {
    if (answer.status === 'rejected') throw answer.reason;
    if (answer.value) return answer.value;
  }
  return undefined;
}

function names({ name }: Move): Objection | undefined {
  const { tree, shared } = placeOf(name);
  if (!shared && !isUser(name))
    return never(`${readable(name)} is a part of a user: only all of ${readable(tree)} can be moved`);
  if (/^(?:[^!]*!)?DELETED\./.test(name)) return never(`${readable(name)} is deleted`);
  return undefined;
}

async function source({ name, from, to }: Move, { admins }: Checking): Promise<Objection | undefined> {
  const [held, facts] = await admins.ask(from.server, async (admin) => {
    const holding = await admin.holds(name);
    return [holding, holding === 'has' ? await admin.mailbox(name) : undefined] as const;
  });
  if (held === 'moving')
    return now(`${readable(from.server)} has marked ${readable(name)} as moving: an XFER goes on, or broke off`);
  if (held === 'lacks' || !facts) return never(`${readable(from.server)} has no ${readable(name)}`);
  if (from.server !== to.server) return undefined;
  if (to.partition === '') return never(`${readable(name)} is at ${readable(to.server)} already`);
  const there = facts.partition === to.partition;
  return there ? never(`${readable(name)} is at ${readable(to.server)}!${to.partition} already`) : undefined;
}

async function destination({ name, from, to }: Move, { admins }: Checking): Promise<Objection | undefined> {
  if (from.server === to.server) return undefined;
  const held = await admins.ask(to.server, (admin) => admin.holds(name));
  if (held === 'moving')
    return now(`${readable(to.server)} has marked ${readable(name)} as moving itself: an XFER goes on, or broke off`);
  for (const server of [from.server, to.server]) {
    const replicates = await admins.ask(server, (admin) =>
      admin.asks('its capabilities', (session) => session.offers('X-REPLICATION')),
    );
    if (!replicates) return never(`${readable(server)} does not offer X-REPLICATION`);
  }
  return undefined;
}

async function versions({ from, to }: Move, { admins }: Checking): Promise<Objection | undefined> {
  const ask = (server: Bytes): Promise<string | undefined> =>
    admins.ask(server, (admin) => admin.asks('its version', versionOf));
  const [older, newer] = await Promise.all([ask(to.server), ask(from.server)]);
  if (!isOlder(older, newer)) return undefined;
  const [is, was] = [readable(older ?? ''), readable(newer ?? '')];
  return never(`${readable(to.server)} is an older Cyrus (${is}) than ${readable(from.server)} (${was})`);
}

/** Whether a version, `3.6.1-Debian`, is of an older series than another; not so where one of them is not known. */
export function isOlder(version: string | undefined, than: string | undefined): boolean {
  const series = (text = '') => /^(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number);
  const [one, other] = [series(version), series(than)];
  const [major = 0, minor = 0] = one ?? [];
  const [otherMajor = 0, otherMinor = 0] = other ?? [];
  return one !== undefined && other !== undefined && (major - otherMajor || minor - otherMinor) < 0;
}

/** A partition that is not there kills the destination's imapd in the middle of an XFER. */
async function partition(move: Move, { partitions }: Checking): Promise<Objection | undefined> {
  const plan = await partitions.plan(move);
  if ('lacking' in plan) return never(`${readable(move.to.server)} has no partition ${readable(plan.lacking)}`);
  return undefined;
}

/** What has its own quota takes it along; what has none comes under that of a level above it. */
async function quota(move: Move, { admins }: Checking): Promise<Objection | undefined> {
  const { name, from, to } = move;
  if (from.server === to.server) return undefined;
  if (await admins.ask(from.server, (admin) => admin.quota(name))) return undefined;
  const size = await sizeKiB(move, admins);
  return admins.ask(to.server, async (admin) => {
    for (const root of levelsAbove(name)) {
      const use = await admin.quota(root);
      if (use) return overQuota(root, use, { size, messages: move.messages });
    }
    return undefined;
  });
}

type QuotaUse = NonNullable<Awaited<ReturnType<ImapAdmin['quota']>>>;

function overQuota(
  root: Bytes,
  { storageKiB, messages }: QuotaUse,
  more: { size: number; messages: number },
): Objection | undefined {
  const under = `it comes under the quota of ${readable(root)} there`;
  if (storageKiB && storageKiB.used + more.size > storageKiB.limit)
    return now(`${under}: ${storageKiB.used} of ${storageKiB.limit} KiB are used, and it has ${more.size}`);
  if (messages && messages.used + more.messages > messages.limit)
    return now(`${under}: ${messages.used} of ${messages.limit} messages are used, and it has ${more.messages}`);
  return undefined;
}

/** The nearest first: `a.b` and `a` of `a.b.c`. */
function levelsAbove(name: Bytes): Bytes[] {
  const parts = name.split('.');
  return parts.slice(1).map((_, at) => parts.slice(0, parts.length - 1 - at).join('.'));
}
