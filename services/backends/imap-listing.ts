// What mailboxes a Cyrus server says it has: those of some trees, or all.
import type { Bytes } from '../address/bytes.ts';
import { listed, quoted, ResponseReader } from './imap-response.ts';
import { ImapSession } from './imap-session.ts';
import type { SessionOptions } from './imap-session.ts';
import type { ImapAccess } from './registry.ts';

/** Takes an answer of any length, a response at a time. */
class LongAnswers extends ResponseReader {
  override next(): Bytes | undefined {
    this.restart();
    return super.next();
  }
}

/** A session of an administrator for lists: one of a server with a million mailboxes is long, and takes its time. */
export function listingSession(access: ImapAccess, options: SessionOptions): Promise<ImapSession> {
  return ImapSession.connect(access, { ...options, reader: new LongAnswers() });
}

/**
 * All mailboxes of a server by their internal names, what was deleted and is kept (`DELETED.`) among them.
 *
 * Cyrus 3.6.1 lists to an administrator whatever is in its list of mailboxes, what is moving, too; not his own INBOX. What
 * lies in its folders without being in that list is not seen over IMAP.
 */
export function everyMailbox(session: ImapSession): Promise<Bytes[]> {
  return session.asks('the list of its mailboxes', () => namesLike('*', session));
}

/**
 * Those of a mailbox, what is below it, and what of that was deleted and is kept. Whether one that is missing here is
 * missing indeed, MYRIGHTS tells (ImapAdmin.holds).
 */
export function mailboxesBelow(session: ImapSession, root: Bytes): Promise<Bytes[]> {
  return session.asks('the list of mailboxes of a tree', async () => {
    const found = new Set<Bytes>();
    for (const name of [root, deletedName(root)]) {
      const level = session.external(`${name}.x`).replace(/x(@[^@]*)?$/, '*$1');
      // A `*` or `%` in the name matches other mailboxes, too.
      const isBelow = (one: Bytes) => one === name || one.startsWith(`${name}.`);
      for (const pattern of [session.external(name), level]) {
        for (const one of (await namesLike(pattern, session)).filter(isBelow)) found.add(one);
      }
    }
    return [...found];
  });
}

/** `DELETED.user.jdoe`, under which Cyrus keeps what is deleted below `user.jdoe`, each with a time behind it. */
function deletedName(root: Bytes): Bytes {
  const local = root.indexOf('!') + 1;
  return `${root.slice(0, local)}DELETED.${root.slice(local)}`;
}

async function namesLike(pattern: Bytes, session: ImapSession): Promise<Bytes[]> {
  const names: Bytes[] = [];
  let unread: Bytes | undefined;
  const answer = await session.command(`LIST "" ${quoted(pattern)}`, (response) => {
    if (!/^LIST\b/i.test(response)) return;
    const line = listed(response);
    if (!line) unread ??= response;
    const name = line?.mailbox ? session.internal(line.name) : undefined;
    if (name !== undefined) names.push(name);
  });
  if (answer.status !== 'OK') throw session.unclear('LIST', pattern, answer);
  if (unread !== undefined) throw session.refuses(`a line of LIST cannot be read: ${unread.slice(0, 100)}`);
  return names;
}
