// What mailboxes a Cyrus server says it has: those of some trees, or all.
import type { Bytes } from '../address/bytes.ts';
import type { Answer } from './imap-response.ts';
import { listed, quoted } from './imap-response.ts';
import type { ImapSession } from './imap-session.ts';

/** A server with a million mailboxes lists them in less, in octets. */
const longestList = 268_435_456;

/**
 * All mailboxes of a server by their internal names, what was deleted and is kept (`DELETED.`) among them.
 *
 * Cyrus 3.6.1 lists to an administrator whatever is in its list of mailboxes, what is moving, too; not his own INBOX. What
 * lies in its folders without being in that list is not seen over IMAP.
 */
export async function everyMailbox(session: ImapSession): Promise<Bytes[]> {
  const answer = await session.command('LIST "" "*"', longestList);
  if (answer.status !== 'OK') throw session.unclear('LIST', '*', answer);
  return namesIn(answer, session);
}

/**
 * Those of a mailbox, what is below it, and what of that was deleted and is kept. Whether one that is missing here is
 * missing indeed, MYRIGHTS tells (ImapAdmin.holds).
 */
export async function mailboxesBelow(session: ImapSession, root: Bytes): Promise<Bytes[]> {
  const found = new Set<Bytes>();
  for (const name of [root, deletedName(root)]) {
    const below = session.external(`${name}.x`);
    const level = below.replace(/x(@[^@]*)?$/, '*$1');
    for (const pattern of [session.external(name), level]) {
      const answer = await session.command(`LIST "" ${quoted(pattern)}`, longestList);
      if (answer.status !== 'OK') throw session.unclear('LIST', name, answer);
      // A `*` or `%` in the name matches other mailboxes, too.
      const isBelow = (one: Bytes) => one === name || one.startsWith(`${name}.`);
      for (const one of namesIn(answer, session).filter(isBelow)) found.add(one);
    }
  }
  return [...found];
}

/** `DELETED.user.jdoe`, under which Cyrus keeps what is deleted below `user.jdoe`, each with a time behind it. */
function deletedName(root: Bytes): Bytes {
  const local = root.indexOf('!') + 1;
  return `${root.slice(0, local)}DELETED.${root.slice(local)}`;
}

function namesIn({ untagged }: Answer, session: ImapSession): Bytes[] {
  return untagged.flatMap((response) => {
    if (!/^LIST\b/i.test(response)) return [];
    const line = listed(response);
    if (!line) throw session.refuses(`a line of LIST cannot be read: ${response.slice(0, 100)}`);
    const name = line.mailbox ? session.internal(line.name) : undefined;
    return name ?? [];
  });
}
