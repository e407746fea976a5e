// Moves between Cyrus servers by their own XFER, told by their administrator over IMAP.
import { readable } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import { ImapFailure } from '../backends/imap-failure.ts';
import { forgetTree, handOver, layInto } from '../backends/imap-move.ts';
import type { Told } from '../backends/imap-move.ts';
import { ImapSession } from '../backends/imap-session.ts';
import type { SessionOptions } from '../backends/imap-session.ts';
import { syncMessages, syncSession, syncTree } from '../backends/imap-sync.ts';
import type { SyncTree } from '../backends/imap-sync.ts';
import type { ImapAccess, Registry } from '../backends/registry.ts';
import type { Copies } from '../directory/copies.ts';
import type { Bytes } from '../directory/entry.ts';
import { objectionTo } from './cyrus-check.ts';
import { CyrusPartitions } from './cyrus-partitions.ts';
import type { CutAnswer, Held, MoveDriver, Objection } from './driver.ts';
import type { MailboxManifest, Manifest } from './manifest.ts';
import type { Move } from './move.ts';

export interface CyrusXferOptions {
  registry: Registry;
  /** For what is answered at once. */
  admins: ImapAdmins;
  copies: Copies;
  /** How long a cut, a copy or a manifest may take, in milliseconds. */
  timeout: number;
  /** What must be left at a destination, in KiB; default 1 GiB. */
  margin?: number;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

const never = new AbortController().signal;

/** For a connection and its login, in milliseconds. */
const login = 30_000;

const plainSession = (access: ImapAccess, options: SessionOptions): Promise<ImapSession> =>
  ImapSession.connect(access, options);

/** How much longer than we wait for it a copy is known of: so long it is kept from becoming a cut. */
const known = 2;

/** What a server says whose MUPDATE master has refused to let a name go. */
const refusedToHand = 'unable to reserve mailbox on mupdate server';

/** What a server says when the other one has refused something. */
const refusedThere = 'The remote Server(s) denied the operation';

/** How many folders may have been renamed or deleted since a copy was made, and one. */
const mostTries = 30;

export class CyrusXfer implements MoveDriver {
  readonly name = 'cyrus-xfer';
  readonly #options: CyrusXferOptions;
  readonly #partitions: CyrusPartitions;

  constructor(options: CyrusXferOptions) {
    this.#options = options;
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
    const { registry, admins, margin = 1_048_576 } = this.#options;
    return objectionTo(move, { registry, admins, partitions: this.#partitions, margin });
  }

  /** Waits for the end of an XFER of it that goes on there. Of what is marked as moving there is none: `busy`. */
  manifest(server: Bytes, name: Bytes, signal: AbortSignal): Promise<Manifest | undefined> {
    const what = `the manifest of ${readable(name)}`;
    return this.#with(server, syncSession, signal, what, async (session) => {
      const tree = await syncTree(session, name);
      if (tree.mailboxes.length === 0) return undefined;
      const mailboxes: MailboxManifest[] = [];
      for (const mailbox of tree.mailboxes)
        mailboxes.push({ ...mailbox, messages: await syncMessages(session, mailbox.name) });
      return { ...tree, mailboxes, at: (this.#options.clock ?? Date.now)(), server };
    });
  }

  /**
   * An XFER that comes to nothing, for our directory refuses to let the tree go while `copies` says so. What has no MUPDATE
   * master would let it go. Where no clear answer comes it may go on at the server: `copies` goes on, too, until the cut,
   * or until it ends by itself.
   */
  async copy(move: Move, signal: AbortSignal): Promise<boolean> {
    const { name, from, to } = move;
    const { copies, registry, timeout } = this.#options;
    if (from.server === to.server || registry.find(from.server)?.mupdate !== true) return false;
    await copies.begin(name, to.server, timeout * known);
    const told = await this.#handOver(move, signal);
    await copies.made(name, to.server, timeout * known);
    if (told.ok || told.said.includes(refusedToHand)) return true;
    throw new ImapFailure(`the copy of ${readable(name)} to ${readable(to.server)}: ${told.said}`, 'busy');
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
    const told = held === 'has' ? await this.#cut(move, signal) : undefined;
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

  async discard(server: Bytes, name: Bytes): Promise<void> {
    const forgets = (session: ImapSession): Promise<void> => forgetTree(session, name);
    await this.#with(server, plainSession, never, `the end of ${readable(name)}`, forgets);
    await this.#options.copies.end(name, server);
  }

  /**
   * Over an earlier copy, each folder that was renamed or deleted since makes an XFER fail, before anything is handed over,
   * and is right at the next one: the destination says ACTIVATE of its new name at once, and is refused.
   */
  async #cut(move: Move, signal: AbortSignal): Promise<Told> {
    let told = await this.#handOver(move, signal);
    for (let tries = 1; tries < mostTries && !told.ok && told.said.includes(refusedThere); tries++)
      told = await this.#handOver(move, signal);
    return told;
  }

  async #handOver(move: Move, signal: AbortSignal): Promise<Told> {
    const { name, from, to } = move;
    const plan = await this.#partitions.plan(move);
    if ('lacking' in plan)
      throw new ImapFailure(`${readable(to.server)} has no partition ${readable(plan.lacking)}`, 'refused');
    return this.#with(from.server, plainSession, signal, `the XFER of ${readable(name)}`, (session) =>
      handOver(session, name, to.server, plan.handOver),
    );
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
    return this.#with(to.server, plainSession, signal, `the partition of ${readable(name)}`, async (session) => {
      const told: Told[] = [];
      for (const one of asked) told.push(await layInto(session, one, to.partition));
      return { ok: told.every(({ ok }) => ok), said: told.map(({ said }) => said).join('; ') };
    });
  }

  #listed(server: Bytes, name: Bytes, signal: AbortSignal): Promise<SyncTree> {
    return this.#with(server, syncSession, signal, `the list of ${readable(name)}`, (session) =>
      syncTree(session, name),
    );
  }

  /** One long question on a connection of its own. */
  async #with<Result>(
    server: Bytes,
    connect: (access: ImapAccess, options: SessionOptions) => Promise<ImapSession>,
    signal: AbortSignal,
    what: string,
    ask: (session: ImapSession) => Promise<Result>,
  ): Promise<Result> {
    const access = this.#options.registry.find(server)?.imap;
    if (!access) throw new ImapFailure(`${readable(server)} has no imap in the configuration`, 'refused');
    const session = await connect(access, { timeout: this.#options.timeout, login, server });
    const abandon = (): void => {
      session.abandon(`nobody waits any more for ${what}`);
    };
    if (signal.aborted) abandon();
    signal.addEventListener('abort', abandon);
    try {
      return await session.asks(what, () => ask(session));
    } finally {
      signal.removeEventListener('abort', abandon);
      await session.close();
    }
  }
}
