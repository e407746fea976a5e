// The trees that somebody may mean by what he calls them: users by login, address or INBOX, shared mailboxes by their names.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { foldersOf, mailboxName, maxMailboxName, modifiedUtf7 } from '../address/mailbox-name.ts';
import { parsePath } from '../address/path.ts';
import { targetOf } from '../address/recipient.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import { isUser } from '../address/user-name.ts';

/** What a name may be, as it can stand after "it may be". */
export const treeWords =
  'a user (jdoe, jdoe@example.org, user.jdoe, a dot in a login being ^ there) or a shared mailbox (projects.x, +projects.x, example.org!projects.x)';

/**
 * The roots that are meant, the likeliest first: one that is there. `fault`: there can be none; a phrase. `user.jdoe`,
 * `example.org!projects.x`, an address and what begins with `+` (a shared mailbox) mean one thing each; what is just a word may be
 * a login and a shared mailbox. Names that are not in modified UTF-7 are also read as what they would be in it.
 */
export function treesMeant(said: Bytes, settings: RecipientSettings): { may: Bytes[] } | { fault: string } {
  if (said === '') return { fault: 'is empty' };
  if (/[\x00-\x1f\x7f]/.test(said)) return { fault: 'has a control character' };
  const found = meantBy(said, settings);
  if ('fault' in found) return found;
  const may = [...new Set(found.may.flatMap(spellings))].filter(isRootName);
  return may.length > 0
    ? { may }
    : { fault: `can be the name of none (over ${maxMailboxName} octets, or a level is empty)` };
}

function meantBy(said: Bytes, settings: RecipientSettings): { may: Bytes[] } | { fault: string } {
  const local = said.slice(said.indexOf('!') + 1);
  if (/^DELETED(?:\.|$)/.test(local)) return { fault: 'was deleted: what is kept of it goes along with its user' };
  if (local.startsWith('user.')) return isUser(said) ? { may: [said] } : folderFault(said, local);
  if (said.startsWith('+')) return { may: [...sharedByAddress(said, settings), said.slice(1)] };
  if (said.includes('!')) return { may: [said] };
  return /[@+]/.test(said)
    ? byAddress(said, settings)
    : { may: [...byLogin(said, settings), ...byOwnName(said, settings)] };
}

function folderFault(said: Bytes, local: Bytes): { fault: string } {
  const [, user = ''] = local.split('.');
  const inbox = `${said.slice(0, said.length - local.length)}user.${user}`;
  if (user === '' || !isUser(inbox)) return { fault: 'is the INBOX of nobody' };
  return { fault: `is a folder of ${readable(inbox)} and goes along with it; in a login a dot is ^` };
}

/** With an @, or a +: what LMTP would deliver it to. */
function byAddress(said: Bytes, settings: RecipientSettings): { may: Bytes[] } | { fault: string } {
  const parsed = parsePath(`<${said}>`, false);
  if ('error' in parsed) return { fault: `is no address: ${parsed.error}` };
  const { path, rest } = parsed;
  const { mailbox, shared } = targetOf(path, settings);
  if (mailbox === '' || rest !== '' || path.local === '') return { fault: "is nobody's address" };
  if (path.local.includes('+') && !shared)
    return { fault: `is a folder of ${readable(mailbox)} and goes along with it` };
  return { may: [mailbox] };
}

function sharedByAddress(said: Bytes, settings: RecipientSettings): Bytes[] {
  const parsed = parsePath(`<${settings.postuser}${said}>`, false);
  if ('error' in parsed) return [];
  const { mailbox, shared } = targetOf(parsed.path, settings);
  return shared && mailbox !== '' ? [mailbox] : [];
}

/** As LMTP reads a login; one that no address can say (with a space) as it stands. */
function byLogin(said: Bytes, settings: RecipientSettings): Bytes[] {
  const parsed = parsePath(`<${said}>`, false);
  const isPath = !('error' in parsed) && parsed.rest === '';
  const target = isPath ? targetOf(parsed.path, settings) : undefined;
  if (target && !target.shared) return target.mailbox === '' ? [] : [target.mailbox];
  const name = mailboxName({ domain: undefined, user: said, folders: [] });
  return name === '' ? [] : [name];
}

/** By its internal name, and where users see a `/` between levels, by that as well. */
function byOwnName(said: Bytes, { unixhierarchysep }: RecipientSettings): Bytes[] {
  if (!unixhierarchysep) return [said];
  const external = mailboxName({ domain: undefined, user: undefined, folders: foldersOf(said, '/') });
  return external === '' ? [said] : [said, external];
}

/** As it stands, and as names are kept: UTF-8, or else Latin-1, in modified UTF-7. */
function spellings(name: Bytes): Bytes[] {
  if (!/[\x80-\xff]/.test(name)) return [name];
  const encoded = modifiedUtf7(name);
  return [name, encoded === name ? modifiedUtf7(Buffer.from(name, 'utf8').toString('latin1')) : encoded];
}

/** A user's INBOX, or the name of a shared mailbox. */
function isRootName(name: Bytes): boolean {
  const local = name.slice(name.indexOf('!') + 1);
  if (name.length > maxMailboxName || name.startsWith('!') || local.includes('!')) return false;
  return local.startsWith('user.') ? isUser(name) : local !== 'user' && !local.split('.').includes('');
}
