// Mailboxes of a Cyrus server, made, found, renamed and deleted by its administrator.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { setRights } from './imap-acl.ts';
import { alreadyExists, nonexistent } from './imap-failure.ts';
import { quoted } from './imap-response.ts';
import type { Effect, ImapSession } from './imap-session.ts';
import { answerAbout, pairsOf } from './imap-words.ts';

export interface CreateOptions {
  /** `default` for `partition-default`; left out: the parent's, or the one that the server chooses. */
  partition?: string;
  /** Special uses (RFC 6154) without their backslash: `Sent`. They are the owner's, whoever makes the folder. */
  specialUse?: readonly string[];
}

export interface MailboxFacts {
  partition: string;
  /** The same wherever the mailbox is moved and whatever it is called (RFC 8474's MAILBOXID). */
  uniqueId: string;
}

export interface Created extends MailboxFacts {
  is: 'created' | 'exists';
}

const vendor = '/shared/vendor/cmu/cyrus-imapd';

/**
 * Cyrus 3.6.1: the partition must be an atom; a quoted one is BAD. Special uses need the list form of RFC 4466. A use that
 * the server does not know is NO [USEATTR]; that another folder has it already
 * is not minded; on any other mailbox than a folder right below an INBOX it is `SPECIAL-USE flag conflict`. CREATE reserves the name at
 * the MUPDATE master: when that refuses (another server has it) or is not there, nothing is made and the answer is NO
 * (`unable to reserve mailbox on mupdate server`, `no connection to server`: busy). A folder without its INBOX is
 * `Permission denied`.
 */
export async function createMailbox(session: ImapSession, name: Bytes, options: CreateOptions): Promise<Created> {
  const answer = await session.command(`CREATE ${quoted(session.external(name))}${await parameters(session, options)}`);
  if (answer.status !== 'OK' && !alreadyExists(answer)) throw session.unclear('CREATE', name, answer);
  const facts = await mailboxFacts(session, name);
  // Where it is gone again already, or is on its way to another server, the next attempt will see.
  if (!facts) throw session.unclear('CREATE', name, { ...answer, status: 'OK', text: 'but there is no such mailbox' });
  return { is: answer.status === 'OK' ? 'created' : 'exists', ...facts };
}

async function parameters(session: ImapSession, { partition, specialUse = [] }: CreateOptions): Promise<string> {
  const wrong = specialUse.find((use) => !/^[A-Za-z0-9-]+$/.test(use));
  if (wrong !== undefined) throw session.refuses(`no special use can be called ${readable(wrong)}`);
  const place = partition === undefined ? '' : partitionAtom(session, partition);
  if (specialUse.length === 0) return place && ` ${place}`;
  // Without it the folder is made all the same: a special use is a convenience.
  if (!(await session.offers('CREATE-SPECIAL-USE'))) return place && ` ${place}`;
  return ` (${place && `PARTITION ${place} `}USE (${specialUse.map((use) => `\\${use}`).join(' ')}))`;
}

/** A partition as CREATE and RENAME take it: unquoted. */
export function partitionAtom(session: ImapSession, partition: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(partition)) return partition;
  throw session.refuses(`no partition can be called ${readable(partition)}: it may have letters, digits, - and _`);
}

/** GETMETADATA takes `*` and `%` in the name for wildcards, so that only the answer about this very name counts. */
export async function mailboxFacts(session: ImapSession, name: Bytes): Promise<MailboxFacts | undefined> {
  const external = session.external(name);
  const answer = await session.command(`GETMETADATA ${quoted(external)} (${vendor}/partition ${vendor}/uniqueid)`);
  if (nonexistent(answer)) return undefined;
  if (answer.status !== 'OK') throw session.unclear('GETMETADATA', name, answer);
  const [values] = answerAbout(answer.untagged, 'METADATA', external) ?? [];
  // Others that match are not it.
  if (values === undefined && /[*%]/.test(external)) return undefined;
  const entries = new Map(Array.isArray(values) ? pairsOf(values) : []);
  const [partition, uniqueId] = [entries.get(`${vendor}/partition`), entries.get(`${vendor}/uniqueid`)];
  if (partition == null || uniqueId == null) throw session.unclear('GETMETADATA', name, answer);
  return { partition, uniqueId };
}

/**
 * Cyrus 3.6.1: an administrator has not the right to delete; he has the one to change the ACL. He adds `x` to his own
 * entry only when he is told to, for every change of an ACL is a change in the directory. `DELETED.` keeps the messages.
 */
export async function deleteMailbox(session: ImapSession, name: Bytes): Promise<Effect> {
  const command = `DELETE ${quoted(session.external(name))}`;
  let answer = await session.command(command);
  if (answer.status === 'NO' && answer.text === 'Permission denied') {
    const given = await setRights(session, name, session.access.username, '+x');
    answer = given.status === 'OK' ? await session.command(command) : given;
  }
  if (nonexistent(answer)) return 'already';
  if (answer.status !== 'OK') throw session.unclear('DELETE', name, answer);
  return 'done';
}

/**
 * Cyrus 3.6.1: RENAME changes the name or the partition, never both (`Cross-server or cross-partition move w/rename not
 * supported`). A user is renamed with `allowusermoves` only (else `Operation is not supported on mailbox`), and takes his
 * folders, quota and his own ACL entries with him. A partition that the server does not have is taken for a server's name
 * (`Server(s) unavailable to complete operation`, which reads as busy); the one it is on already is `Mailbox already exists`.
 */
export async function renameMailbox(
  session: ImapSession,
  from: Bytes,
  to: Bytes,
  partition: string | undefined,
): Promise<Effect> {
  const place = partition === undefined ? '' : ` ${partitionAtom(session, partition)}`;
  const names = [from, to].map((name) => quoted(session.external(name)));
  const answer = await session.command(`RENAME ${names.join(' ')}${place}`);
  if (answer.status === 'OK') return 'done';
  // An earlier attempt may have come through without our hearing of it.
  if (nonexistent(answer) && from !== to && (await mailboxFacts(session, to))) return 'already';
  if (from === to && alreadyExists(answer)) {
    const facts = await mailboxFacts(session, to);
    if (partition === undefined || facts?.partition === partition) return 'already';
  }
  throw session.unclear('RENAME', from, answer);
}
