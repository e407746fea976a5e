// Who may post to a mailbox, by its access control list as the directory has it (RFC 4314; Cyrus' acl_afs and auth_unix).
import { lowerCase } from '../address/bytes.ts';
import type { Bytes } from './entry.ts';

/** Who posts where nobody was named, or nobody that is believed: Cyrus' name for it. */
export const anonymous: Bytes = 'anonymous';

/**
 * `may`: posting is not refused here. Not: surely refused at the mailbox's own server, too; `sees` tells whether the poster
 * may know that the mailbox is there.
 */
export type Access = { may: true } | { may: false; sees: boolean };

/** One pair of an ACL. */
interface Grant {
  identifier: Bytes;
  rights: Bytes;
  /** Rights that are taken away: `-identifier`. */
  negative: boolean;
}

/**
 * Whether a poster has the right `p`. Rights of all identifiers that he is are added up; what `-identifier` takes away is
 * gone, whoever grants it. Who is in a group, and whether `JOE` is `joe`, only the mailbox's server knows: where that
 * matters, posting is not refused here, and the server decides. `poster` undefined asks whether anybody at all may.
 */
export function accessOf(acl: Bytes, poster: Bytes | undefined): Access {
  const grants = grantsOf(acl);
  if (poster === undefined) {
    const some = grants.some(({ identifier, negative }) => !negative && has(grants, identifier, 'p'));
    return some ? { may: true } : { may: false, sees: sees(grants, anonymous) };
  }
  if (has(grants, poster, 'p')) return { may: true };
  if (poster !== anonymous && perhaps(grants, 'p') && !taken(grants, poster, 'p')) return { may: true };
  return { may: false, sees: sees(grants, poster) };
}

function sees(grants: readonly Grant[], poster: Bytes): boolean {
  return has(grants, poster, 'l');
}

/** Granted to the poster by name or to anyone, and not taken away so. */
function has(grants: readonly Grant[], poster: Bytes, right: string): boolean {
  const granted = grants.some(
    ({ identifier, rights, negative }) => !negative && mayBe(identifier, poster) && rights.includes(right),
  );
  return granted && !taken(grants, poster, right);
}

function taken(grants: readonly Grant[], poster: Bytes, right: string): boolean {
  return grants.some(
    ({ identifier, rights, negative }) => negative && isOf(identifier, poster) && rights.includes(right),
  );
}

/** Granted to a group, which the poster may be in. */
function perhaps(grants: readonly Grant[], right: string): boolean {
  return grants.some(({ identifier, rights, negative }) => !negative && isGroup(identifier) && rights.includes(right));
}

function isGroup(identifier: Bytes): boolean {
  return identifier.startsWith('group:');
}

/** By name, or as one of all. */
function isOf(identifier: Bytes, poster: Bytes): boolean {
  return identifier === 'anyone' || identifier === poster;
}

/** Cyrus lowers user names before it compares them, unless it is told not to (`username_tolower`). */
function mayBe(identifier: Bytes, poster: Bytes): boolean {
  return isOf(identifier, poster) || identifier === lowerCase(poster);
}

/** `identifier TAB rights TAB`, repeated; what is not whole at the end counts for nothing, as in Cyrus. */
function grantsOf(acl: Bytes): Grant[] {
  const words = acl.split('\t');
  const grants: Grant[] = [];
  for (let at = 0; at + 2 < words.length; at += 2) {
    const [identifier = '', rights = ''] = [words[at], words[at + 1]];
    const negative = identifier.startsWith('-');
    grants.push({ identifier: negative ? identifier.slice(1) : identifier, rights, negative });
  }
  return grants;
}
