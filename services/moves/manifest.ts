// What a server has of a tree, message by message, and whether another server has all of it.
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
  acl: Bytes;
  quotaRoot?: Bytes;
  messages: readonly MessageFacts[];
}

export interface Manifest {
  /** When it was taken, in milliseconds since 1970. */
  at: number;
  server: Bytes;
  /** The root first; what was deleted and is kept (`DELETED.`) is among them. */
  mailboxes: readonly MailboxManifest[];
  /** Limits by resource, in the server's units, by quota root. */
  quotas: ReadonlyMap<Bytes, ReadonlyMap<string, number>>;
  subscriptions: readonly Bytes[];
  /** Sieve scripts: the name, a digest of the content, and which is active. */
  sieve: readonly { name: Bytes; digest: string; active: boolean }[];
}

/** What is missing or different at the other server; each a sentence for people. */
export type Difference = string;
