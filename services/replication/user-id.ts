// What Cyrus' replication calls things: the user of a tree, and the lines of a sync log. Pure.
import type { Bytes } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';

/**
 * The user whose tree it is, as sync_client is told of him: `example.org!user.j^doe` is `j.doe@example.org` on servers with
 * `unixhierarchysep`, where a `.` in a name is kept as `^`. Undefined where nobody can have it: a shared tree, or octets
 * that Cyrus has no mailbox with.
 */
export function userIdOf(tree: Bytes, unixhierarchysep: boolean): string | undefined {
  const { shared, field } = placeOf(tree);
  if (shared || field !== '' || !/^[ -~]+$/.test(tree)) return undefined;
  const [, domain, local = ''] = /^(?:([^!]*)!)?user\.(.*)$/.exec(tree) ?? [];
  if (local === '' || local.includes('!') || domain === '') return undefined;
  const user = unixhierarchysep ? local.replaceAll('^', '.') : local;
  return domain === undefined ? user : `${user}@${domain}`;
}

/** What a line of a sync log can be about: Cyrus 3.6 reads `MAILBOX` with a mailbox, `USER` and `UNUSER` with a user. */
export type LogVerb = 'MAILBOX' | 'USER' | 'UNUSER';

/** A line of a sync log; undefined for a name that could end it early, or begin another one. */
export function logLine(verb: LogVerb, name: Bytes): string | undefined {
  return /^[ -~]+$/.test(name) && !/["\\]/.test(name) ? `${verb} "${name}"\n` : undefined;
}
