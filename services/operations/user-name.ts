// The user that somebody means, by whatever he is called: the INBOX of an address, of a login, or by its own name.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { parsePath } from '../address/path.ts';
import { targetOf } from '../address/recipient.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import { Refusal } from './refusal.ts';

/** A mailbox name as it is, an address or a login as LMTP reads it. Refused as data where it is none of these. */
export function inboxOf(user: Bytes, settings: RecipientSettings): Bytes {
  if (/(?:^|!)user\./.test(user)) return user;
  const parsed = parsePath(`<${user}>`, settings.lmtp_strict_rfc2821);
  if ('error' in parsed) throw new Refusal('data', `'${readable(user)}' is no user: ${parsed.error}`);
  const { mailbox, shared } = targetOf(parsed.path, settings);
  // Mail for it goes to a folder of a user; whoever asks for users by it may mean another one.
  if (parsed.path.local.includes('+') && !shared)
    throw new Refusal('data', `'${readable(user)}' is no user, but a folder of ${readable(mailbox)}: name the user`);
  if (mailbox !== '' && !shared && parsed.rest === '') return mailbox;
  throw new Refusal('data', `'${readable(user)}' is no user: it may be jdoe, jdoe@example.org or user.jdoe`);
}
