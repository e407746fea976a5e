// What a backend is asked and told over IMAP as its administrator.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { acl, removeEntry, setEntry } from './imap-acl.ts';
import type { Acl } from './imap-acl.ts';
import { nonexistent } from './imap-failure.ts';
import { createMailbox, deleteMailbox, mailboxFacts, renameMailbox } from './imap-mailboxes.ts';
import type { Created, CreateOptions, MailboxFacts } from './imap-mailboxes.ts';
import { quotaOf, setQuota } from './imap-quota.ts';
import type { QuotaLimits, QuotaUse } from './imap-quota.ts';
import { listed, quoted, rightsOf } from './imap-response.ts';
import { ImapSession } from './imap-session.ts';
import type { Effect, SessionOptions } from './imap-session.ts';
import { countedSizes, quotaSizes } from './imap-sizes.ts';
import type { TreeSize } from './imap-sizes.ts';
import { freeSpace } from './imap-space.ts';
import type { FreeSpace } from './imap-space.ts';
import { subscribe } from './imap-subscriptions.ts';
import type { ImapAccess } from './registry.ts';

/**
 * `has`: it is in the server's list of mailboxes, as the server's own. `moving`: an XFER of it to another server is under
 * way here, or was when it broke off; the messages are still here, newer perhaps than the copy at the other server.
 * `lacks`: the server knows no such mailbox, nor anything of it but its deletion.
 */
export type Holding = 'has' | 'moving' | 'lacks';

/**
 * One connection to a Cyrus server; questions are asked one after another. Whatever is not a clear answer rejects with an
 * ImapFailure that names the server, its address and the reason, and tells whether to try again: a time-out, a refusal,
 * nonsense or a lost connection never reads as `lacks`. Whatever changes something may be repeated, and says whether it
 * was so already. Names are internal ones, as in the directory.
 *
 * What was found on Cyrus 3.6.1, and is tested on it:
 *
 * - MYRIGHTS is the witness. It needs no rights of an administrator (STATUS and EXAMINE want `r`, which the ACL of a
 *   user's mailbox does not give), it knows no wildcards, and it answers NO with a REFERRAL while a mailbox is moving,
 *   where LIST shows it as ever. A deleted name is gone at once, and its `DELETED.` name is there.
 * - LIST does not show an administrator his own INBOX, which MYRIGHTS does; so LIST proves nothing alone. It is asked for
 *   the second opinion on `lacks`: it is empty, or shows the name as `\Noselect`, a level above mailboxes that are left.
 * - Both hide a mailbox from a user who is no administrator as if it were not there. GETQUOTA tells the two apart.
 * - A copy that a broken XFER left at its destination is `has` there, complete or not. After LOCALDELETE it `lacks`.
 * - Neither opens the mailbox: one whose files are lost is `has` until an operator reconstructs or removes it.
 * - MUPDATEPUSH wants the external name. A moving mailbox is refused, one without files is pushed.
 */
export class ImapAdmin {
  readonly #session: ImapSession;

  private constructor(session: ImapSession) {
    this.#session = session;
  }

  /** Connects and authenticates; rejects unless the server is the one meant and takes the user as an administrator. */
  static async connect(access: ImapAccess, options: SessionOptions): Promise<ImapAdmin> {
    return new ImapAdmin(await ImapSession.connect(access, options));
  }

  /** Logs out and closes; resolves when the connection is over, however it ended. */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** Whether the server has a mailbox of this internal name. */
  async holds(name: Bytes): Promise<Holding> {
    return this.asks(`whether it has ${readable(name)}`, (session) => holding(session, name));
  }

  /** Has the server ACTIVATE the mailbox, with its own location and ACL, at its MUPDATE master. */
  async push(name: Bytes): Promise<void> {
    await this.asks(`the push of ${readable(name)}`, async (session) => {
      const answer = await session.command(`MUPDATEPUSH ${quoted(session.external(name))}`);
      if (answer.status !== 'OK') throw session.unclear('MUPDATEPUSH', name, answer);
    });
  }

  /** Where a mailbox lies, and which one it is; undefined when the server has none of this name. */
  mailbox(name: Bytes): Promise<MailboxFacts | undefined> {
    return this.asks(`the partition of ${readable(name)}`, (session) => mailboxFacts(session, name));
  }

  /**
   * Makes a mailbox, or finds that there is one. Where it exists on another partition than was asked for, that is told and
   * not changed. A mailbox that `exists` may be unknown to the directory still, if an earlier attempt broke off: push().
   */
  createMailbox(name: Bytes, options: CreateOptions = {}): Promise<Created> {
    return this.asks(`the creation of ${readable(name)}`, (session) => createMailbox(session, name, options));
  }

  /** Takes a mailbox away; a user's INBOX takes all folders with it. The administrator gives himself the right to. */
  deleteMailbox(name: Bytes): Promise<Effect> {
    return this.asks(`the deletion of ${readable(name)}`, (session) => deleteMailbox(session, name));
  }

  /**
   * Gives a mailbox, and with a user's INBOX all folders, another name; or another partition, when `to` is the same name.
   * Many messages take their time, and other questions wait behind it: for those connect anew, with a longer time-out.
   */
  renameMailbox(from: Bytes, to: Bytes, partition?: string): Promise<Effect> {
    return this.asks(`the renaming of ${readable(from)}`, (session) => renameMailbox(session, from, to, partition));
  }

  /** The quota of a mailbox that is a quota root; undefined for one that is none. */
  quota(root: Bytes): Promise<QuotaUse | undefined> {
    return this.asks(`the quota of ${readable(root)}`, (session) => quotaOf(session, root));
  }

  /** How much users' trees, or shared mailboxes, take by their quota roots; in their order. At most `mostAtOnce` (imap-sizes.ts). */
  quotaSizes(roots: readonly Bytes[]): Promise<(TreeSize | undefined)[]> {
    return this.asks(`the quotas of ${roots.length} mailboxes`, (session) => quotaSizes(session, roots));
  }

  /** The same, told mailbox by mailbox: exact, with or without a quota, and dearer. */
  countedSizes(roots: readonly Bytes[]): Promise<(TreeSize | undefined)[]> {
    return this.asks(`the sizes of ${roots.length} mailboxes`, (session) => countedSizes(session, roots));
  }

  /** Makes these the limits, and all: what is left out has none from then on. */
  setQuota(root: Bytes, limits: QuotaLimits): Promise<Effect> {
    return this.asks(`the quota of ${readable(root)}`, (session) => setQuota(session, root, limits));
  }

  /** The ACL of a mailbox: rights by identifier. */
  acl(name: Bytes): Promise<Acl> {
    return this.asks(`the ACL of ${readable(name)}`, (session) => acl(session, name));
  }

  /** Makes these the rights of an identifier (RFC 4314); a mailbox's owner keeps some whatever is said. */
  setAcl(name: Bytes, identifier: string, rights: string): Promise<Effect> {
    return this.asks(`the ACL of ${readable(name)}`, (session) => setEntry(session, name, identifier, rights));
  }

  /** Takes an identifier's entry away. */
  deleteAcl(name: Bytes, identifier: string): Promise<Effect> {
    return this.asks(`the ACL of ${readable(name)}`, (session) => removeEntry(session, name, identifier));
  }

  /** Subscribes a user to some of his own mailboxes, on a connection of its own: nobody else can do it for him. */
  subscribe(names: readonly Bytes[]): Promise<void> {
    return subscribe(this.#session, names);
  }

  /** How much room the server says it has. */
  freeSpace(): Promise<FreeSpace> {
    return this.asks('its free space', freeSpace);
  }

  /** A question in its turn and within the time, for what has no method here. `what` completes "waited for ...". */
  asks<Result>(what: string, ask: (session: ImapSession) => Promise<Result>): Promise<Result> {
    return this.#session.asks(what, () => ask(this.#session));
  }
}

async function holding(session: ImapSession, name: Bytes): Promise<Holding> {
  const external = session.external(name);
  const rights = await session.command(`MYRIGHTS ${quoted(external)}`);
  if (rights.status === 'OK' && rights.untagged.some((response) => rightsOf(response) === external)) return 'has';
  if (rights.status === 'NO' && /^\[REFERRAL imap:[^\]]*\]/i.test(rights.text)) return 'moving';
  if (!nonexistent(rights)) throw session.unclear('MYRIGHTS', name, rights);

  const list = await session.command(`LIST "" ${quoted(external)}`);
  const lines = list.untagged.filter((response) => /^LIST\b/i.test(response)).map((response) => listed(response));
  const clear = list.status === 'OK' && lines.every((line) => line !== undefined);
  // A `*` or `%` in the name matches other mailboxes, too: only its own line counts.
  const shown = lines.some((line) => line?.name === external && line.mailbox);
  if (!clear || shown) throw session.unclear('LIST', name, list);
  return 'lacks';
}
