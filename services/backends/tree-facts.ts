// What can be known of a tree at a server, message by message: what is asked of one, and what another one has to show.
import type { Bytes } from '../address/bytes.ts';

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

export interface MailboxFacts {
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
}

/** A Sieve script of a server that doesn't keep them as messages: the digest is of its content. */
export interface ScriptFacts {
  name: Bytes;
  digest: string;
  active: boolean;
}

export interface TreeFacts<Mailbox extends MailboxFacts = MailboxFacts> {
  /** The root is among them, and what was deleted and is kept (`DELETED.`), and the scripts (`#sieve`), in no order. */
  mailboxes: readonly Mailbox[];
  /** Limits by resource, in the server's units, by quota root. */
  quotas: ReadonlyMap<Bytes, ReadonlyMap<string, number>>;
  subscriptions: readonly Bytes[];
  sieve: readonly ScriptFacts[];
}
