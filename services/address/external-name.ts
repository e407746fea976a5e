// How an administrator of a Cyrus server is shown a mailbox name: `user/a.b/Sent@example.org`.
import type { Bytes } from './bytes.ts';

/** What stands between levels on the wire: `/` with `unixhierarchysep`, else `.`. */
export type Separator = '/' | '.';

/**
 * The external name of an internal one, as Cyrus 3.6 shows it to administrators whatever `altnamespace` says: the domain
 * behind an `@`, and with `/` between levels a dot inside a component as itself (`^` inside). Undefined where there is no
 * such name, or it would read as another mailbox: Cyrus takes `user//x` and `user/x/` for `user/x`, and `INBOX` for the
 * administrator's own. Nor is there one with octets outside printable ASCII, for Cyrus has no mailbox with these.
 */
export function externalName(name: Bytes, separator: Separator): Bytes | undefined {
  // As in Cyrus, whatever stands before the first `!` is a domain.
  const mark = name.indexOf('!');
  const domain = mark < 0 ? undefined : name.slice(0, mark);
  const components = name.slice(mark + 1).split('.');
  if (!/^[ -~]+$/.test(name) || components.includes('')) return undefined;
  if (components[0]?.toUpperCase() === 'INBOX') return undefined;
  if (domain !== undefined && (!/^[^@/!]+$/.test(domain) || components.some((part) => /[@!]/.test(part))))
    return undefined;
  if (separator === '/' && components.some((part) => part.includes('/'))) return undefined;
  const local = components.map((part) => (separator === '/' ? part.replaceAll('^', '.') : part)).join(separator);
  return domain === undefined ? local : `${local}@${domain}`;
}

/** The way back; undefined for what `externalName` gives for no mailbox. */
export function internalName(external: Bytes, separator: Separator): Bytes | undefined {
  const mark = external.lastIndexOf('@');
  const local = mark < 0 ? external : external.slice(0, mark);
  const components = local.split(separator).map((part) => (separator === '/' ? part.replaceAll('.', '^') : part));
  const name = `${mark < 0 ? '' : `${external.slice(mark + 1)}!`}${components.join('.')}`;
  return externalName(name, separator) === external ? name : undefined;
}
