// Moves between Cyrus servers by their own XFER, told by their administrator over IMAP.
import { readable } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import { ImapFailure } from '../backends/imap-failure.ts';
import { forgetTree, handOver, layInto } from '../backends/imap-move.ts';
import type { Told } from '../backends/imap-move.ts';
import type { ImapSession } from '../backends/imap-session.ts';
import { ImapSessions } from '../backends/imap-sessions.ts';
import { syncMessages, syncSession, syncTree } from '../backends/imap-sync.ts';
import type { Registry } from '../backends/registry.ts';
import type { TreeFacts } from '../backends/tree-facts.ts';
import type { Copies } from '../directory/copies.ts';
import type { Bytes } from '../directory/entry.ts';
import { objectionTo } from './cyrus-check.ts';
import { CyrusPartitions } from './cyrus-partitions.ts';
import type { CutAnswer, Held, MoveDriver, Objection } from './driver.ts';
import type { MailboxManifest, Manifest } from './manifest.ts';
import type { Move } from './move.ts';
import { isWorthCopying } from './worth-copying.ts';
import type { CopyAbove } from './worth-copying.ts';

export interface CyrusXferOptions {
  registry: Registry;
  /** For what is answered at once. */
  admins: ImapAdmins;
  copies: Copies;
  /** How long a cut, a copy or a manifest may take, in milliseconds. */
  timeout: number;
  /** What is copied ahead of its cut; left out: all. */
  copyAbove?: CopyAbove;
  /** What must be left at a destination, in KiB; default 1 GiB. */
  margin?: number;
  /** All open moves, for the room that they will take; left out: there are none. */
  open?: () => Promise<readonly Move[]>;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

const never = new AbortController().signal;

/** How much longer than we wait for it a copy is known of: so long it is kept from becoming a cut. */
const known = 2;

/** What a server says whose MUPDATE master has refused to let a name go. */
const refusedToHand = 'unable to reserve mailbox on mupdate server';

/** And whose MUPDATE master it does not reach. */
const masterAway = 'no connection to server';

/** What a server says when the other one has refused something. */
const refusedThere = 'The remote Server(s) denied the operation';

/** How many folders may have been renamed or deleted since a copy was made, and one. */
const mostTries = 30;

export class CyrusXfer implements MoveDriver {
  readonly name = 'cyrus-xfer';
  readonly #options: CyrusXferOptions;
  readonly #partitions: CyrusPartitions;
  /** For orders, and for what is read by the verbs of replication. */
  readonly #sessions: ImapSessions;
  readonly #readers: ImapSessions;

  constructor(options: CyrusXferOptions) {
    const { registry, timeout } = options;
    this.#options = options;
    this.#sessions = new ImapSessions({ registry, timeout });
    this.#readers = new ImapSessions({ registry, timeout, connect: syncSession });
    this.#partitions = new CyrusPartitions(
      options.admins,
      async (server, name) => {
        const { mailboxes } = await this.#listed(server, name, never);
        return [...new Set(mailboxes.map(({ partition }) => partition))];
      },
      options.clock,
    );
  }

  holds(server: Bytes, name: Bytes): Promise<Held> {
    return this.#options.admins.ask(server, (admin) => admin.holds(name));
  }

  check(move: Move): Promise<Objection | undefined> {
    const { registry, admins, margin = 1_048_576, open = () => Promise.resolve([]) } = this.#options;
    return objectionTo(move, { registry, admins, partitions: this.#partitions, margin, open });
  }

  /** Waits for the end of an XFER of it that goes on there. Of what is marked as moving there is none: `busy`. */
  manifest(server: Bytes, name: Bytes, signal: AbortSignal): Promise<Manifest | undefined> {
    const ask = async (session: ImapSession): Promise<Manifest | undefined> => {
      const tree = await syncTree(session, name);
      if (tree.mailboxes.length === 0) return undefined;
      const messages = await syncMessages(
        session,
        tree.mailboxes.map((mailbox) => mailbox.name),
      );
      const mailboxes = tree.mailboxes.map((mailbox, at): MailboxManifest => ({
        ...mailbox,
        messages: messages[at] ?? [],
      }));
      return { ...tree, mailboxes, at: (this.#options.clock ?? Date.now)(), server };
    };
    return this.#readers.ask(server, { what: `the manifest of ${readable(name)}`, ask, signal });
  }

  /**
   * An XFER that comes to nothing, for our directory refuses to let the tree go while `copies` says so. What has no MUPDATE
   * master would let it go. Where no clear answer comes it may go on at the server: `copies` goes on, too, until the cut,
   * or until it ends by itself. False also for what is so small that its cut takes no time.
   */
  async copy(move: Move, signal: AbortSignal): Promise<boolean> {
    const { name, from, to } = move;
    const { copies, registry, timeout } = this.#options;
    if (from.server === to.server || registry.find(from.server)?.mupdate !== true) return false;
    if (!(await this.#isWorthCopying(move, signal))) return false;
    await copies.begin(name, to.server, timeout * known);
    const told = await this.#handOverAgain(move, signal);
    await copies.made(name, to.server, timeout * known);
    if (told.ok || told.said.includes(refusedToHand)) return true;
    const kind = told.said.includes(masterAway) ? 'away' : 'busy';
    throw new ImapFailure(`the copy of ${readable(name)} to ${readable(to.server)}: ${told.said}`, kind);
  }

  /**
   * Where the source has it no more, the destination having it, only the partition is left to be seen to. What is marked
   * as moving at the source, after an XFER that broke off, stays so until the source is restarted (or `ctl_mboxlist -m` is
   * run there): it refuses everything else.
   */
  async cut(move: Move, signal: AbortSignal): Promise<CutAnswer> {
    const { name, from, to } = move;
    if (from.server === to.server) return this.#laidInto(move, signal);
    const { copies, timeout } = this.#options;
    await copies.made(name, to.server, timeout * known);
    const held = await this.holds(from.server, name);
    if (held === 'moving') {
      const why = `${readable(from.server)} has marked it as moving, and must be restarted`;
      return { ok: false, said: `not asked: ${why}` };
    }
    const told = held === 'has' ? await this.#handOverAgain(move, signal) : undefined;
    if (told?.ok === false) return told;
    if (!told && (await this.holds(to.server, name)) !== 'has')
      return { ok: false, said: `not asked: neither ${readable(from.server)} nor ${readable(to.server)} has it` };
    await copies.end(name);
    const laid = await this.#laidInto(move, signal);
    return { ok: laid.ok, said: [told?.said ?? 'not asked: the source has it no more', laid.said].join('; ') };
  }

  async push(server: Bytes, names: readonly Bytes[]): Promise<void> {
    // What is pushed is the tree itself.
    for (const name of names) await this.#options.copies.end(name);
    for (const name of names) await this.#options.admins.ask(server, (admin) => admin.push(name));
  }

  /** One order, be it a user with all folders: Cyrus lets nobody else at him meanwhile, and cannot be told to stop. */
  async discard(server: Bytes, name: Bytes, confirm: () => Promise<void>): Promise<void> {
    const ask = async (session: ImapSession): Promise<void> => {
      // A connection and its login may have taken longer than a lease lasts.
      await confirm();
      await forgetTree(session, name);
    };
    await this.#sessions.ask(server, { what: `the end of ${readable(name)}`, ask, signal: never });
    await this.#options.copies.end(name, server);
  }

  /** Lets go of the sessions that it keeps. */
  async close(): Promise<void> {
    await Promise.all([this.#sessions.close(), this.#readers.close()]);
  }

  /**
   * Over an earlier copy, each folder that was renamed or deleted since, or has other rights, makes an XFER fail, before
   * anything is handed over, and is right at the next one: the destination says ACTIVATE of it at once, and is refused.
   */
  async #handOverAgain(move: Move, signal: AbortSignal): Promise<Told> {
    let told = await this.#handOver(move, signal);
    for (let tries = 1; tries < mostTries && !told.ok && told.said.includes(refusedThere); tries++)
      told = await this.#handOver(move, signal);
    return told;
  }

  async #isWorthCopying({ name, from, octets }: Move, signal: AbortSignal): Promise<boolean> {
    const { admins, copyAbove } = this.#options;
    if (!copyAbove) return true;
    const { mailboxes } = await this.#listed(from.server, name, signal);
    const known = octets > 0 ? octets : await usedOctets(from.server, name, admins);
    return isWorthCopying({ octets: known, mailboxes }, copyAbove);
  }

  async #handOver(move: Move, signal: AbortSignal): Promise<Told> {
    const { name, from, to } = move;
    const plan = await this.#partitions.plan(move);
    if ('lacking' in plan)
      throw new ImapFailure(`${readable(to.server)} has no partition ${readable(plan.lacking)}`, 'refused');
    const ask = (session: ImapSession): Promise<Told> => handOver(session, name, to.server, plan.handOver);
    // What a server keeps of one that broke off should not meet the next one.
    const isGoodAfter = ({ ok }: Told): boolean => ok;
    return this.#sessions.ask(from.server, { what: `the XFER of ${readable(name)}`, ask, signal, isGoodAfter });
  }

  /** All of a tree into the partition that is wanted. Of one that broke off some mailboxes may lie there already. */
  async #laidInto({ name, to }: Move, signal: AbortSignal): Promise<CutAnswer> {
    if (to.partition === '') return { ok: true, said: 'in the partition of the same name' };
    const { mailboxes } = await this.#listed(to.server, name, signal);
    const elsewhere = mailboxes
      .filter((mailbox) => mailbox.partition !== to.partition && !/^(?:[^!]*!)?DELETED\./.test(mailbox.name))
      .map((mailbox) => mailbox.name)
      .sort();
    if (elsewhere.length === 0) return { ok: true, said: `in ${to.partition}` };
    // The root takes all with it.
    const asked = elsewhere.includes(name) ? [name] : elsewhere;
    const ask = async (session: ImapSession): Promise<CutAnswer> => {
      const told: Told[] = [];
      for (const one of asked) told.push(await layInto(session, one, to.partition));
      return { ok: told.every(({ ok }) => ok), said: told.map(({ said }) => said).join('; ') };
    };
    const isGoodAfter = ({ ok }: CutAnswer): boolean => ok;
    return this.#sessions.ask(to.server, { what: `the partition of ${readable(name)}`, ask, signal, isGoodAfter });
  }

  #listed(server: Bytes, name: Bytes, signal: AbortSignal): Promise<TreeFacts> {
    const ask = (session: ImapSession): Promise<TreeFacts> => syncTree(session, name);
    return this.#readers.ask(server, { what: `the list of ${readable(name)}`, ask, signal });
  }
}

/** As its own quota tells; undefined where it has none. */
async function usedOctets(server: Bytes, name: Bytes, admins: ImapAdmins): Promise<number | undefined> {
  const used = (await admins.ask(server, (admin) => admin.quota(name)))?.storageKiB?.used;
  return used === undefined ? undefined : used * 1024;
}
