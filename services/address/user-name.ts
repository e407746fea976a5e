// The INBOX of a user: which names are one, and which of them a Cyrus server can make and let somebody in as.
import { readable } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { maxMailboxName } from './mailbox-name.ts';

/** A user is an INBOX: `user.jdoe`, `example.org!user.jane^doe`; its folders come and go with it. */
export function isUser(name: Bytes): boolean {
  return name.length <= maxMailboxName && /^(?:[^!.][^!]*!)?user\.[^.!]+$/s.test(name);
}

/** The login of a user, to whom ACLs give rights: `jane.doe@example.org` of `example.org!user.jane^doe`. */
export function loginOf(inbox: Bytes): Bytes {
  const [, domain, user = inbox] = /^(?:([^!]*)!)?user\.(.*)$/s.exec(inbox) ?? [];
  const login = user.replaceAll('^', '.');
  return domain === undefined ? login : `${login}@${domain}`;
}

/** The longest login that Cyrus 3.6.1 lets in, domain included, in octets; a mailbox it makes for longer ones, too. */
const longestLogin = 80;

/** What Cyrus takes for everybody, for nobody, or for its own words. */
const nobodysLogins = new Set(['anyone', 'anybody', 'anonymous']);

/** Why no user can be called so; a sentence, undefined where one can. All of it was tried with Cyrus 3.6.1. */
export function unfitUserName(name: Bytes): string | undefined {
  const shown = readable(name);
  if (!isUser(name))
    return `${shown} is no user's INBOX: it may be user.NAME or DOMAIN!user.NAME, a dot in NAME being ^`;
  const [, domain, user = ''] = /^(?:([^!]*)!)?user\.(.*)$/s.exec(name) ?? [];
  // Cyrus lowers logins: nobody could ever log in as such a user.
  if (/[A-Z]/.test(name)) return `${shown} has capital letters: Cyrus knows users by small ones`;
  const strange = /[^a-z0-9 #$'()+,=_[\]~^-]/.exec(user)?.[0];
  if (strange !== undefined)
    return `${shown} has a '${readable(strange)}', which no user's name may have at a Cyrus server`;
  if (/^ | $/.test(user)) return `${shown} begins or ends with a space`;
  // As an identifier of an ACL it would take rights away.
  if (user.startsWith('-')) return `${shown} begins with a -, which no user's name may do at a Cyrus server`;
  if (nobodysLogins.has(user)) return `${shown} is nobody's: Cyrus means something else by ${user}`;
  if (domain !== undefined && !/^[a-z0-9][a-z0-9._-]*$/.test(domain))
    return `${shown} has no domain in front: it may have small letters, digits, dots, - and _`;
  if (loginOf(name).length > longestLogin)
    return `${shown} is longer than ${longestLogin} octets as a login, ${readable(loginOf(name).slice(0, longestLogin))}...`;
  return undefined;
}
