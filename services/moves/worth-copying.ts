// Whether a tree is copied ahead of its cut: it costs as much as a cut, and is of use only where the cut would take long.

/** A tree with more than either is copied ahead. */
export interface CopyAbove {
  octets: number;
  messages: number;
}

/** A mailbox costs a cut as much as so many messages. */
const messagesAMailbox = 25;

/**
 * By what costs nothing to know: no mailbox has more messages than its last uid says. `octets` is undefined where nobody
 * knows them.
 */
export function isWorthCopying(
  { octets, mailboxes }: { octets: number | undefined; mailboxes: readonly { lastUid: number }[] },
  above: CopyAbove,
): boolean {
  const messages = mailboxes.reduce((sum, { lastUid }) => sum + lastUid + messagesAMailbox, 0);
  return octets === undefined || octets > above.octets || messages > above.messages;
}
