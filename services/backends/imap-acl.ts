// Access control lists of a Cyrus server's mailboxes (RFC 4314), read and changed by its administrator.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { quoted } from './imap-response.ts';
import type { Answer } from './imap-response.ts';
import type { Effect, ImapSession } from './imap-session.ts';
import { answerAbout, pairsOf } from './imap-words.ts';

/** Rights by identifier: a user, `anyone`, or with a `-` in front what is taken from one. */
export type Acl = ReadonlyMap<Bytes, Bytes>;

export async function acl(session: ImapSession, name: Bytes): Promise<Acl> {
  const external = session.external(name);
  const answer = await session.command(`GETACL ${quoted(external)}`);
  const words = answerAbout(answer.untagged, 'ACL', external);
  const pairs = words && pairsOf(words);
  if (answer.status !== 'OK' || !pairs) throw session.unclear('GETACL', name, answer);
  return new Map(pairs.map(([identifier, rights]) => [identifier, rights ?? '']));
}

export async function setEntry(session: ImapSession, name: Bytes, identifier: string, rights: string): Promise<Effect> {
  const invalid = rights.match(/[^a-z0-9]/)?.[0];
  if (invalid !== undefined)
    throw session.refuses(`there is no right ${readable(invalid)}: a right is a letter or digit`);
  const known = await acl(session, name);
  if (same(known.get(identifier) ?? '', rights)) return 'already';
  const answer = await setRights(session, name, identifier, rights);
  if (answer.status !== 'OK') throw session.unclear('SETACL', name, answer);
  return 'done';
}

export async function removeEntry(session: ImapSession, name: Bytes, identifier: string): Promise<Effect> {
  if (!(await acl(session, name)).has(identifier)) return 'already';
  const answer = await session.command(`DELETEACL ${quoted(session.external(name))} ${entryOf(session, identifier)}`);
  if (answer.status !== 'OK') throw session.unclear('DELETEACL', name, answer);
  return 'done';
}

/** SETACL with rights, or with `+` or `-` and rights; the answer whatever it is. */
export function setRights(session: ImapSession, name: Bytes, identifier: string, rights: string): Promise<Answer> {
  return session.command(`SETACL ${quoted(session.external(name))} ${entryOf(session, identifier)} ${quoted(rights)}`);
}

/**
 * Cyrus 3.6.1 takes an identifier with `"` or a tab, stores it, and can then neither tell the MUPDATE master of the mailbox
 * nor rename nor delete it (`Invalid identifier`, for ever). Others that it does not like it refuses in the same words.
 */
function entryOf(session: ImapSession, identifier: string): string {
  if (/^[ !#-[\]-~]+$/.test(identifier)) return quoted(identifier);
  const allowed = 'it is of printable ASCII without " and \\';
  throw session.refuses(`nobody can be called ${JSON.stringify(readable(identifier))} in an ACL: ${allowed}`);
}

/** `c` and `d` are old names for others, and come and go with these (section 2.1.1). */
function same(found: string, wanted: string): boolean {
  const sorted = (rights: string): string => [...new Set(rights)].sort().join('');
  return sorted(found) === sorted(wanted) || sorted(found.replace(/[cd]/g, '')) === sorted(wanted);
}
