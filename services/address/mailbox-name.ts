// Internal mailbox names, built from a domain, a user and folders: `example.org!user.a^b.Sent`.
import type { Bytes } from './bytes.ts';

/** The longest name that a Cyrus server handles, in octets: its MAX_MAILBOX_NAME. (It creates none above 490.) */
export const maxMailboxName = 510;

export interface NameParts {
  /** The virtual domain; undefined for the default one. */
  domain: Bytes | undefined;
  /** The user who owns the tree; undefined for a shared folder. */
  user: Bytes | undefined;
  folders: readonly Bytes[];
}

/**
 * The internal name: components are joined by `.`, and a `.` inside one is written `^`. Empty where no mailbox can have
 * the name: nothing to join, over 510 octets, or a `!` inside a component, which would read as the end of a domain.
 */
export function mailboxName(parts: NameParts): Bytes {
  const owner = parts.user === undefined ? [] : ['user', parts.user];
  const components = [...owner, ...parts.folders];
  if (components.length === 0 || components.includes('')) return '';
  const local = components.map((component) => component.replaceAll('.', '^')).join('.');
  if (local.includes('!') || parts.domain?.includes('!')) return '';
  const name = parts.domain === undefined ? local : `${parts.domain}!${local}`;
  return name.length > maxMailboxName ? '' : name;
}

/**
 * The folders that the detail of an address names. `separator` is the one users see: `/` with `unixhierarchysep`, else
 * `.`. Doubled, leading and trailing separators count for nothing, as in Cyrus.
 */
export function foldersOf(detail: Bytes, separator: '/' | '.'): Bytes[] {
  return modifiedUtf7(detail)
    .split(separator)
    .filter((folder) => folder !== '');
}

/** `&-`, or `&`, base64 with `,` for `/`, and `-`: what a `&` must begin in modified UTF-7 (RFC 3501 section 5.1.3). */
const encoded = /^(?:[^&]|&[A-Za-z0-9+,]*-)*$/;

/**
 * The modified UTF-7 that mailbox names are kept in. What is it already stays; UTF-8 is converted; what is neither is
 * left as it is, for it names no mailbox either way.
 */
export function modifiedUtf7(bytes: Bytes): Bytes {
  const highOctets = /[\x80-\xff]/.test(bytes);
  if (!highOctets && encoded.test(bytes)) return bytes;
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  if (highOctets && Buffer.from(text, 'utf8').toString('latin1') !== bytes) return bytes;
  return text.replaceAll('&', '&-').replace(/[^\x00-\x7f]+/g, encodedRun);
}

function encodedRun(run: string): Bytes {
  const bigEndian = Buffer.from(run, 'utf16le').swap16();
  return `&${bigEndian.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`;
}
