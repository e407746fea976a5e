// A user's subscriptions at a Cyrus server, made for him by its administrator.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { loginOf } from '../address/user-name.ts';
import { quoted } from './imap-response.ts';
import { ImapSession } from './imap-session.ts';

/**
 * Cyrus 3.6.1: an administrator's SUBSCRIBE is for himself; but he may log in as the user (the authorization identity of
 * SASL PLAIN), whose folders then have the names of the user's own namespace. SUBSCRIBE may be repeated. All names are of
 * one user; rejects at the first that fails, the ones before it are subscribed to.
 */
export async function subscribe(admin: ImapSession, names: readonly Bytes[]): Promise<void> {
  const [first] = names;
  if (first === undefined) return;
  const user = userOf(first);
  const stranger = names.find((name) => userOf(name) !== user);
  if (user === undefined || stranger !== undefined)
    throw admin.refuses(`${readable(stranger ?? first)} and ${readable(first)} are not mailboxes of one user`);
  const session = await ImapSession.connect(admin.access, admin.options, loginOf(user));
  try {
    for (const name of names) await subscribeTo(session, name, user);
  } finally {
    await session.close();
  }
}

async function subscribeTo(session: ImapSession, name: Bytes, user: Bytes): Promise<void> {
  // Without INBOX there is no personal namespace.
  if (session.personal === undefined) throw session.refuses(`it has no mailbox ${readable(user)}`);
  const inbox = name === user;
  const own = inbox ? 'INBOX' : `${session.personal}${folderOf(session, name, user)}`;
  const answer = await session.asks(`the subscription to ${readable(name)}`, () =>
    session.command(`SUBSCRIBE ${quoted(own)}`),
  );
  if (answer.status !== 'OK') throw session.unclear('SUBSCRIBE', name, answer);
}

/** `Sent/Old` of `user/ada/Sent/Old`. */
function folderOf(session: ImapSession, name: Bytes, user: Bytes): Bytes {
  const domain = name.indexOf('!') + 1;
  return session.external(name.slice(domain)).slice(user.length - domain + 1);
}

/** The internal name of the INBOX of the user whose mailbox this is; undefined for one that is shared. */
function userOf(name: Bytes): Bytes | undefined {
  return /^(?:[^!]*!)?user\.[^.]+/.exec(name)?.[0];
}
