// What a Cyrus server has of a tree, message by message, asked with the verbs of its replication over IMAP.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { isUser, loginOf } from '../address/user-name.ts';
import { numberAt, stringAt, valuesOf } from './imap-dlist.ts';
import type { Dlist, DlistPairs } from './imap-dlist.ts';
import { quoted } from './imap-response.ts';
import { ImapSession } from './imap-session.ts';
import type { SessionOptions } from './imap-session.ts';
import { SyncReader } from './imap-sync-reader.ts';
import type { ImapAccess } from './registry.ts';
import type { MailboxFacts, MessageFacts, ScriptFacts, TreeFacts } from './tree-facts.ts';

/** A tree of which more is told. */
interface ToldTree extends TreeFacts {
  mailboxes: MailboxFacts[];
  quotas: Map<Bytes, Map<string, number>>;
  subscriptions: Bytes[];
  sieve: ScriptFacts[];
}

/**
 * What was found on Cyrus 3.6.1 (`X-REPLICATION`), and is tested on it:
 *
 * - Any administrator may ask, and no rights have to be given for it; to others it is `BAD Unrecognized command`. The
 *   session stays good for other commands; SYNCRESTART is of no need where nothing was applied.
 * - `SYNCGET USER login` gives a `* MAILBOX %(...)` of each mailbox of the tree, what was deleted and is kept (`DELETED.`)
 *   among them, and `* QUOTA`, `* LSUB`, `* SIEVE`; of a user that is not there nothing and OK, but it makes a file
 *   for him at the server: so LIST is asked first. A level without a mailbox has `i` in its MBOXTYPE.
 * - Scripts are messages of `#sieve`, hidden until `SYNCAPPLY CAPABILITIES (SIEVE-MAILBOX)`; after that there are no
 *   `* SIEVE` lines. That is remembered by the process, for whoever comes after: so it is said each time. Servers before
 *   3.6 answer that they know no such thing, and tell of scripts by name.
 * - `SYNCGET FULLMAILBOX name` gives all records, those of expunged messages with `\Expunged`.
 * - Both wait for the end of an XFER of that user that goes on, for as long as it takes. Of a mailbox that is left as moving
 *   after a broken one they say `NO IMAP_MAILBOX_MOVED`; of none `NO IMAP_MAILBOX_NONEXISTENT`.
 * - A shared mailbox is asked for by `SYNCGET MAILBOXES (name)`; those that are not there are passed over.
 */
export async function syncSession(access: ImapAccess, options: SessionOptions): Promise<ImapSession> {
  const session = await ImapSession.connect(access, { ...options, reader: new SyncReader() });
  const enabling = session.asks('its capabilities', () => session.command('SYNCAPPLY CAPABILITIES (SIEVE-MAILBOX)'));
  const answer = await enabling.catch(async (error: unknown) => {
    await session.close();
    throw error;
  });
  // A server that does not know of it goes on telling of scripts by name.
  if (answer.status !== 'BAD' || (await session.offers('X-REPLICATION'))) return session;
  await session.close();
  throw session.refuses('it does not offer X-REPLICATION');
}

/** All of a tree but its messages: a user's whole, of shared mailboxes the one. */
export async function syncTree(session: ImapSession, name: Bytes): Promise<TreeFacts> {
  const tree: ToldTree = { mailboxes: [], quotas: new Map(), subscriptions: [], sieve: [] };
  if (!(await isThere(session, name))) return tree;
  const take = (response: Bytes): void => {
    takeInto(tree, response);
  };
  if (isUser(name)) {
    await syncGet(session, `USER ${quoted(loginOf(name))}`, name, take);
    return tree;
  }
  await syncGet(session, `MAILBOXES (${quoted(name)})`, name, take);
  const root = tree.mailboxes.find(({ quotaRoot }) => quotaRoot === name);
  if (root) await syncGet(session, `QUOTA ${quoted(name)}`, name, take);
  return tree;
}

/** The messages of each of these mailboxes, in the order of their uids. */
export async function syncMessages(session: ImapSession, names: readonly Bytes[]): Promise<MessageFacts[][]> {
  const messages: MessageFacts[][] = [];
  for (const name of names) {
    const found: MessageFacts[] = [];
    const answer = await session.command(`SYNCGET FULLMAILBOX ${quoted(name)}`, (response) => {
      if (response.startsWith('RECORD ')) found.push(messageOf(pairsIn(response)));
    });
    if (answer.status !== 'OK') throw session.unclear('SYNCGET', name, answer);
    messages.push(found);
  }
  return messages;
}

async function isThere(session: ImapSession, name: Bytes): Promise<boolean> {
  const below = isUser(name) ? [`${name}.*`, deletedBelow(name)] : [];
  const patterns = [name, ...below].map((one) => quoted(session.external(one)));
  const answer = await session.command(`LIST "" (${patterns.join(' ')})`);
  if (answer.status !== 'OK') throw session.unclear('LIST', name, answer);
  return answer.untagged.some((response) => /^LIST /i.test(response));
}

/** `example.org!DELETED.user.ada.*`. */
function deletedBelow(inbox: Bytes): Bytes {
  const local = inbox.indexOf('!') + 1;
  return `${inbox.slice(0, local)}DELETED.${inbox.slice(local)}.*`;
}

async function syncGet(
  session: ImapSession,
  what: string,
  name: Bytes,
  take: (response: Bytes) => void,
): Promise<void> {
  const said: Bytes[] = [];
  const answer = await session.command(`SYNCGET ${what}`, (response) => {
    if (/^(?:MAILBOX|RECORD|QUOTA|LSUB|SIEVE) /.test(response)) take(response);
    else if (said.length < 10) said.push(response);
  });
  if (answer.status !== 'OK') throw session.unclear('SYNCGET', name, { ...answer, untagged: said });
}

function takeInto(tree: ToldTree, response: Bytes): void {
  if (response.startsWith('MAILBOX ')) {
    const pairs = pairsIn(response);
    if (isMailbox(pairs)) tree.mailboxes.push(mailboxOf(pairs));
  } else if (response.startsWith('QUOTA ')) {
    const pairs = pairsIn(response);
    tree.quotas.set(stringAt(pairs, 'ROOT'), limitsOf(pairs));
  } else if (response.startsWith('LSUB ')) {
    const [list] = valuesOf(response.slice('LSUB '.length));
    for (const name of listOf(list)) if (typeof name === 'string') tree.subscriptions.push(name);
  } else if (response.startsWith('SIEVE ')) scriptInto(tree, pairsIn(response));
}

/** Neither a level without a mailbox, nor one that is deleted, another server's or only reserved. */
function isMailbox(pairs: DlistPairs): boolean {
  const type = pairs.get('MBOXTYPE');
  return typeof type !== 'string' || !/[idrz]/.test(type);
}

function mailboxOf(pairs: DlistPairs): MailboxFacts {
  const root = pairs.get('QUOTAROOT');
  return {
    name: stringAt(pairs, 'MBOXNAME'),
    uniqueId: stringAt(pairs, 'UNIQUEID'),
    partition: stringAt(pairs, 'PARTITION'),
    uidValidity: numberAt(pairs, 'UIDVALIDITY'),
    lastUid: numberAt(pairs, 'LAST_UID'),
    highestModseq: numberAt(pairs, 'HIGHESTMODSEQ'),
    folderModseq: pairs.has('FOLDERMODSEQ') ? numberAt(pairs, 'FOLDERMODSEQ') : 0,
    acl: stringAt(pairs, 'ACL'),
    ...(typeof root === 'string' ? { quotaRoot: root } : {}),
  };
}

function messageOf(pairs: DlistPairs): MessageFacts {
  const flags = listOf(pairs.get('FLAGS')).filter((flag): flag is Bytes => typeof flag === 'string');
  return {
    uid: numberAt(pairs, 'UID'),
    guid: stringAt(pairs, 'GUID'),
    modseq: numberAt(pairs, 'MODSEQ'),
    size: numberAt(pairs, 'SIZE'),
    flags: flags.filter((flag) => flag !== '\\Expunged').sort(),
    expunged: flags.includes('\\Expunged'),
  };
}

/** Resources with a limit; LIMIT is what servers of old called STORAGE. */
function limitsOf(pairs: DlistPairs): Map<string, number> {
  const resources = [...pairs.keys()].filter((key) => !['ROOT', 'LIMIT', 'MODSEQ'].includes(key));
  const named = resources.map((key): [string, number] => [key, numberAt(pairs, key)]);
  return new Map(named.length > 0 || !pairs.has('LIMIT') ? named : [['STORAGE', numberAt(pairs, 'LIMIT')]]);
}

/** `main.script` is a script, `main.bc` its compiled form, which is what is active. */
function scriptInto({ sieve }: ToldTree, pairs: DlistPairs): void {
  const [, name, kind] = /^(.*)\.(script|bc)$/s.exec(stringAt(pairs, 'FILENAME')) ?? [];
  if (name === undefined) return;
  const active = stringAt(pairs, 'ISACTIVE') === '1';
  const known = sieve.find((script) => script.name === name);
  if (known) {
    known.active ||= active;
    if (kind === 'script') known.digest = stringAt(pairs, 'GUID');
  } else sieve.push({ name, digest: stringAt(pairs, 'GUID'), active });
}

function listOf(value: Dlist | undefined): readonly Dlist[] {
  return Array.isArray(value) ? value : [];
}

function pairsIn(response: Bytes): DlistPairs {
  const [value] = valuesOf(response.slice(response.indexOf(' ') + 1));
  if (value instanceof Map) return value;
  throw new Error(`no pairs in ${readable(response.slice(0, 60))}`);
}
