// Shared mailboxes whose names are close to what an address says: Cyrus' lmtp_fuzzy_mailbox_match.
import { lowerCase, type Bytes } from './bytes.ts';

/** Where a name stands: its domain with the `!`, and its components. */
function parts(name: Bytes): { domain: Bytes; components: Bytes[] } {
  const mark = name.indexOf('!') + 1;
  return { domain: name.slice(0, mark), components: name.slice(mark).split('.') };
}

/** The domain of a name, with its `!`; empty for the default one. */
export function domainOf(name: Bytes): Bytes {
  return parts(name).domain;
}

/** The first component of a name, as all that is close to it has it. */
export function nearRoot(name: Bytes): Bytes {
  return folded(parts(name).components[0] ?? '');
}

/** Case does not count, and `-`, `_` and a space are the same. Octets above 127 are themselves. */
export function folded(component: Bytes): Bytes {
  return lowerCase(component).replace(/[-_ ]/g, '-');
}

/**
 * The mailbox, out of some, that is closest to a name: the deepest that has all its components in common with it, so that
 * it is the mailbox itself or one above. Of several, the one that is written most like it. `user` and `DELETED` are no
 * shared mailboxes. Undefined where none is close.
 */
export function closest(name: Bytes, mailboxes: Iterable<Bytes>): Bytes | undefined {
  const wanted = parts(name);
  const near = wanted.components.map(folded);
  let best: { mailbox: Bytes; depth: number; unlike: number } | undefined;
  for (const mailbox of mailboxes) {
    const { domain, components } = parts(mailbox);
    if (domain !== wanted.domain || !isShared(components)) continue;
    if (components.length > near.length || components.some((one, at) => folded(one) !== near[at])) continue;
    const depth = components.length;
    const unlike = differences(components.join('.'), wanted.components.join('.'));
    if (best === undefined || depth > best.depth || (depth === best.depth && before({ mailbox, unlike }, best)))
      best = { mailbox, depth, unlike };
  }
  return best?.mailbox;
}

function before(one: { mailbox: Bytes; unlike: number }, other: { mailbox: Bytes; unlike: number }): boolean {
  return one.unlike < other.unlike || (one.unlike === other.unlike && one.mailbox < other.mailbox);
}

/** Whether a name is that of a shared mailbox: not a user's, not a deleted one. */
function isShared([root]: readonly Bytes[]): boolean {
  return root !== 'user' && root !== 'DELETED';
}

/** How many octets differ; both are as long as the shorter. */
function differences(one: Bytes, other: Bytes): number {
  let count = 0;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) count++;
  return count;
}
