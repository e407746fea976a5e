// What a server has of a tree, message by message, as it was at one moment. manifest-comparison.ts holds two side by side.
import type { Bytes } from '../directory/entry.ts';

export interface MessageFacts {
  uid: number;
  /** The SHA-1 of its bytes, in hex: Cyrus' GUID. */
  guid: string;
  modseq: number;
  size: number;
  /** In the order of their bytes; `\Expunged` is not among them. */
  flags: readonly Bytes[];
  expunged: boolean;
}

export interface MailboxManifest {
  /** Its internal name. */
  name: Bytes;
  /** The same wherever it is moved and whatever it is called. */
  uniqueId: string;
  partition: Bytes;
  uidValidity: number;
  lastUid: number;
  highestModseq: number;
  /** Of the last change of its name, its ACL or its annotations; 0 where the server does not tell. */
  folderModseq: number;
  acl: Bytes;
  quotaRoot?: Bytes;
  /** In the order of their uids. */
  messages: readonly MessageFacts[];
}

export interface Manifest {
  /** When it was taken, in milliseconds since 1970. */
  at: number;
  server: Bytes;
  /** The root is among them, and what was deleted and is kept (`DELETED.`), and the scripts (`#sieve`), in no order. */
  mailboxes: readonly MailboxManifest[];
  /** Limits by resource, in the server's units, by quota root. */
  quotas: ReadonlyMap<Bytes, ReadonlyMap<string, number>>;
  subscriptions: readonly Bytes[];
  /** Sieve scripts of servers that don't keep them as messages: the name, a digest of the content, which is active. */
  sieve: readonly { name: Bytes; digest: string; active: boolean }[];
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
