// What a server has of a tree, message by message, as it was at one moment. manifest-comparison.ts holds two side by side.
import type { Bytes } from '../address/bytes.ts';
import type { MailboxFacts, MessageFacts, TreeFacts } from '../backends/tree-facts.ts';

export interface MailboxManifest extends MailboxFacts {
  /** In the order of their uids. */
  messages: readonly MessageFacts[];
}

export interface Manifest extends TreeFacts<MailboxManifest> {
  /** When it was taken, in milliseconds since 1970. */
  at: number;
  server: Bytes;
}

/** How much it is, without what is expunged. */
export function sizeOf({ mailboxes }: Manifest): { octets: number; messages: number } {
  const sum = { octets: 0, messages: 0 };
  for (const { messages } of mailboxes) {
    for (const { size, expunged } of messages) {
      if (expunged) continue;
      sum.octets += size;
      sum.messages += 1;
    }
  }
  return sum;
}
