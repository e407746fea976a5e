// What helps where Cyrus refuses a copy or a cut for what is at the destination already: the command is named to whoever reads it.
import { readable } from '../address/bytes.ts';
import type { Move } from './move.ts';

/**
 * Cyrus 3.6.1's words. An older copy whose folders have changed their names with each other since is refused for ever; and
 * one of a user who was renamed since has his folders under names, and ids, that are elsewhere by now. Without `allowusermoves`
 * an imapd moves shared mailboxes only.
 */
const inTheWay: readonly RegExp[] = [/Mailbox has changed since last sync/i];
const forbidden: readonly RegExp[] = [/Operation is not supported on mailbox/i];
const underOldName: readonly RegExp[] = [/Mailbox has been moved to another server/i];

/** What was said, with what to do about it where that is known. `said` is of the order that moves the tree, at its source. */
export function withCure(said: string, { name, from, to }: Pick<Move, 'name' | 'from' | 'to'>): string {
  const [what, server] = [readable(name), readable(to.server)];
  if (inTheWay.some((words) => words.test(said))) {
    const discard = `rookery move discard ${what} --server ${server} --now REASON`;
    return `${said}: an old copy at ${server} is in the way. After rookery move audit ${what}, ${discard} removes it`;
  }
  if (underOldName.some((words) => words.test(said))) {
    const where = `${server} may have a copy of it under a name that it had before`;
    return `${said}: ${where}, which rookery move leftovers shows`;
  }
  if (forbidden.some((words) => words.test(said)))
    return `${said}: allowusermoves: yes is wanted in imapd.conf at ${readable(from.server)}`;
  return said;
}
