// What a key asks about: an address, a user without a domain, or something that is no mailbox.
import type { Bytes } from '../address/bytes.ts';
import { parsePath } from '../address/path.ts';
import type { Path } from '../address/path.ts';

/**
 * `user`: a local part alone (Postfix asks a socketmap for whole addresses only, sendmail for what its rules say).
 * `nobody`: a domain (`@example.org`), a wildcard, or what LMTP would refuse as no address: no mailbox is meant by it.
 */
export type Asked = { about: 'address' | 'user'; path: Path } | { about: 'nobody' };

/** Reads a key; `strict` as in `parsePath`. Never throws. */
export function asked(key: Bytes, strict: boolean): Asked {
  if (key === '' || key.startsWith('@') || key === '*') return { about: 'nobody' };
  const path = pathOf(key, strict) ?? pathOf(quoted(key), strict);
  if (path === undefined) return { about: 'nobody' };
  return { about: path.domain === undefined ? 'user' : 'address', path };
}

function pathOf(address: Bytes, strict: boolean): Path | undefined {
  const parsed = parsePath(`<${address}>`, strict);
  return 'error' in parsed || parsed.rest !== '' ? undefined : parsed.path;
}

/** Postfix asks for `a b@example.org`, too, where SMTP says `"a b"@example.org` (RFC 5321 section 4.1.2). */
function quoted(key: Bytes): Bytes {
  const at = key.lastIndexOf('@');
  const [local, rest] = at < 0 ? [key, ''] : [key.slice(0, at), key.slice(at)];
  return `"${local.replace(/["\\]/g, '\\$&')}"${rest}`;
}
