// Patterns of mailbox names, with the wildcards of IMAP's LIST: `*` for anything, `%` for anything up to the next dot.
import type { Bytes } from './bytes.ts';

/** Tells whether a name fits the pattern; the whole of it has to. */
export function mailboxPattern(pattern: Bytes): (name: Bytes) => boolean {
  const source = pattern
    .replace(/[*%]*\*[*%]*/g, '*') // beside a `*` no other wildcard means anything, and many would be slow to match
    .replace(/%+/g, '%')
    .replace(/[.\\^$+?()[\]{}|/]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('%', '[^.]*');
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => expression.test(name);
}
