// What a Cyrus server is told by its administrator to have a tree moved away, laid into another partition, or forgotten.
import type { Bytes } from '../address/bytes.ts';
import { readable } from '../address/bytes.ts';
import { isUser, loginOf } from '../address/user-name.ts';
import { alreadyExists, nonexistent } from './imap-failure.ts';
import { mailboxFacts, partitionAtom } from './imap-mailboxes.ts';
import { quoted } from './imap-response.ts';
import type { Answer } from './imap-response.ts';
import type { Effect, ImapSession } from './imap-session.ts';
import { pairsOf, wordsOf } from './imap-words.ts';

/** What came of an order that names mailboxes in untagged lines. */
export interface Told {
  /** The server said OK, and no NO of any mailbox. */
  ok: boolean;
  said: string;
}

/**
 * Cyrus 3.6.1, tried:
 *
 * - `XFER user.ada mail2` takes a user's whole tree, `DELETED.` and scripts too; `* OK USER ada` or `* NO USER ada (why)`
 *   tell what came of it, the tagged answer is OK both times. Only the root is taken, else `Operation is not supported
 *   on mailbox`; of a tree that is not there (moved already, say) `NO Mailbox does not exist`; to itself `NO Invalid server
 *   requested`; of one that is marked as moving `* NO USER ada (Mailbox has been moved to another server)`.
 * - A shared mailbox is moved, without those below it, by RENAME to its own name and a server; XFER of one kills the imapd
 *   after it has handed the name over.
 * - Without a partition each mailbox goes to the one of the same name as at its source, not to the default; with one that
 *   the destination has not, its imapd dies, and the answer is `Bad protocol`.
 * - A partition of another name is already in the source's own list while the mailbox is marked as moving. Where the source
 *   dies then, it looks for the mailbox there from its next start on, and finds nothing: `System I/O error`, until somebody
 *   moves the files. So it should be moved under the same name first.
 * - Sessions that have a mailbox of it selected are closed. Deliveries, APPENDs and logins wait while it copies.
 * - Refused by the MUPDATE master (DEACTIVATE: NO) it asks once more and gives up, `unable to reserve mailbox on mupdate
 *   server`: all is as it was here, and a whole copy stays there, which the next one goes on from.
 * - Over a copy that is older than a folder's new name, or its deletion, it fails with `The remote Server(s) denied the operation`
 *   (the destination says ACTIVATE of the new name, which is refused), and succeeds when it is told again.
 * - The messages' files stay in the source's spool (its log: `Could not delete local mailbox during move`).
 */
export async function handOver(session: ImapSession, name: Bytes, server: Bytes, partition?: Bytes): Promise<Told> {
  const external = quoted(session.external(name));
  const place = partition === undefined ? '' : partitionAtom(session, partition);
  const command = isUser(name)
    ? `XFER ${external} ${serverAtom(session, server)}${place && ` ${place}`}`
    : `RENAME ${external} ${external} ${serverAtom(session, server)}${place && `!${place}`}`;
  return toldBy(await session.command(command));
}

/** A quoted one is BAD where a partition may stand, too. */
function serverAtom(session: ImapSession, server: Bytes): Bytes {
  if (/^[A-Za-z0-9._-]+$/.test(server)) return server;
  throw session.refuses(`no server can be called ${readable(server)}: it may have letters, digits, dots, - and _`);
}

/**
 * Lays a mailbox, a user's INBOX with all below it, into another partition of the same server: `* OK rename a a` of each.
 * What is deleted and kept stays where it was. A partition that is not there is taken for a server's name.
 */
export async function layInto(session: ImapSession, name: Bytes, partition: Bytes): Promise<Told> {
  const external = quoted(session.external(name));
  return toldBy(await session.command(`RENAME ${external} ${external} ${partitionAtom(session, partition)}`));
}

function toldBy({ status, text, untagged }: Answer): Told {
  const lines = untagged.filter((line) => /^(?:OK|NO) (?!\[)/i.test(line));
  const ok = status === 'OK' && lines.length > 0 && !lines.some((line) => /^NO /i.test(line));
  return { ok, said: readable([...lines, `${status} ${text}`].join('; ')) };
}

/** The name of a mailbox that is there for a moment, to see whether a partition is. */
const probe = 'rookery-probe';

/**
 * The partition where a new mailbox would be made: the one asked for, or left out, the server's choice; undefined where it
 * has none of that name. Cyrus 3.6.1 tells of no partition but by making a mailbox in it: LOCALCREATE, of which the MUPDATE master
 * hears nothing, nor of LOCALDELETE.
 */
export async function partitionFor(session: ImapSession, partition: Bytes | undefined): Promise<Bytes | undefined> {
  const place = partition === undefined ? '' : ` ${partitionAtom(session, partition)}`;
  // Left over by somebody who broke off.
  await forget(session, probe);
  const answer = await session.command(`LOCALCREATE ${quoted(probe)}${place}`);
  if (answer.status === 'NO' && answer.text === 'Unknown/invalid partition') return undefined;
  // Somebody else asks at the same time.
  if (answer.status !== 'OK' && !alreadyExists(answer)) throw session.unclear('LOCALCREATE', probe, answer);
  const facts = answer.status === 'OK' ? await mailboxFacts(session, probe) : undefined;
  await forget(session, probe);
  if (!facts || (partition !== undefined && facts.partition !== partition))
    throw session.busy('somebody else looks for partitions there');
  return facts.partition;
}

async function forget(session: ImapSession, name: Bytes): Promise<Effect> {
  const answer = await session.command(`LOCALDELETE ${quoted(session.external(name))}`);
  if (nonexistent(answer)) return 'already';
  if (answer.status !== 'OK') throw session.unclear('LOCALDELETE', name, answer);
  return 'done';
}

/**
 * Has the server forget its own copy of a tree, files, scripts and subscriptions included, and tell nobody. (LOCALDELETE of
 * an INBOX would leave its folders, its scripts and its subscriptions; that of a shared mailbox is refused, `[HASCHILDREN]`, while
 * the server has others below it, which are trees of their own. These, and a quota that holds for them, stay.)
 */
export async function forgetTree(session: ImapSession, name: Bytes): Promise<void> {
  const order = isUser(name) ? `LOCAL_UNUSER ${quoted(loginOf(name))}` : `LOCAL_UNMAILBOX ${quoted(name)}`;
  const answer = await session.command(`SYNCAPPLY ${order}`);
  if (answer.status === 'NO' && answer.text.startsWith('IMAP_MAILBOX_NONEXISTENT')) return;
  if (answer.status !== 'OK') throw session.unclear('SYNCAPPLY', name, answer);
}

/** The version that a server tells (RFC 2971): `3.6.1-Debian-3.6.1-4`; undefined where it tells none. */
export async function versionOf(session: ImapSession): Promise<string | undefined> {
  if (!(await session.offers('ID'))) return undefined;
  const { untagged } = await session.command('ID NIL');
  const line = untagged.find((response) => /^ID \(/i.test(response));
  const [, values] = (line === undefined ? undefined : wordsOf(line)) ?? [];
  const pairs = Array.isArray(values) ? pairsOf(values) : undefined;
  return pairs?.find(([key]) => key === 'version')?.[1] ?? undefined;
}
