// What an operator asks after a move, or at any time: whether directory and servers agree, what is left over, and to be rid of it.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText, serverOf } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { RoutingLeases } from '../directory/routing-lease.ts';
import { findingKinds, movedAs } from '../moves/audit.ts';
import type { Finding } from '../moves/audit.ts';
import type { MoveDriver } from '../moves/driver.ts';
import type { FindingStore } from '../moves/finding-store.ts';
import type { Manifest } from '../moves/manifest.ts';
import type { Move } from '../moves/move.ts';
import { discardLeftOver } from './discarding.ts';
import type { DiscardValue, DiscardWish } from './discarding.ts';
import { mailboxLists } from './mailbox-lists.ts';
import type { MailboxLists } from './mailbox-lists.ts';
import { Refusal } from './refusal.ts';
import { auditOne } from './tree-audit.ts';
import type { AuditedTree, TreeAuditMeans } from './tree-audit.ts';
import { time, timeText } from './time-text.ts';

export const findingValue = z
  .object({
    kind: z.enum(findingKinds).meta({
      description:
        'left-over: active at another server. missing: the directory has it there, the server has not. unknown: the directory does not know it. elsewhere: not where its move has ended. unsettled: reserved, or on its way. unasked: the server was silent when a move of it ended. removing: the server was told to remove it, and has not answered.',
    }),
    tree: z.string(),
    server: z.string(),
    at: z.string().optional().meta({ description: 'Where the directory says that it is.' }),
    mailboxes: z.array(z.string()),
    since: time,
  })
  .meta({ id: 'AuditFinding', description: 'Mailboxes of a tree that are not right at a server.' });

export const auditedValue = z
  .object({
    trees: z.int().meta({ description: 'How many were looked at.' }),
    findings: z.array(findingValue),
    silent: z.array(z.string()).meta({ description: 'Servers that could not be asked, and why.' }),
    nowhere: z
      .array(z.string())
      .meta({ description: 'Trees that were named, and that neither the directory nor any server has.' }),
    later: z.array(z.string()).meta({ description: 'Trees of which nothing can be said now, and why.' }),
    note: z.string(),
  })
  .meta({ id: 'MoveAudit', description: 'Directory and servers held against each other.' });

export const findingsAnswer = z.object({ findings: z.array(findingValue) });

export type FindingValue = z.output<typeof findingValue>;
export type AuditedValue = z.output<typeof auditedValue>;

/** What is looked at: the trees of a run, these, or all that have something at a server. */
export type AuditChoice = { run: string } | { names: readonly Bytes[] } | { server: string };

export interface DiscardChoice extends DiscardWish {
  by: string;
}

/** All reject with a Refusal. */
export interface LeftOverOperations {
  audit(choice: AuditChoice): Promise<AuditedValue>;
  /** All that audits have found and that is there still, as far as is known; the oldest first. */
  found(kind: FindingValue['kind'] | undefined): Promise<FindingValue[]>;
  /**
   * Removes a left-over at its server, with proof. Refused as unsafe where anything of that is missing, or the right to the tree
   * is lost before the server is told; as unavailable where what came of it is not clear.
   */
  discard(name: Bytes, choice: DiscardChoice): Promise<DiscardValue>;
}

export interface LeftOverMeans {
  directory: Pick<Directory, 'tree' | 'lookup' | 'list' | 'lease' | 'release' | 'head'> & {
    copies: Pick<Directory['copies'], 'known'>;
  };
  /** Who goes by what he remembers of the directory. */
  routing: Pick<RoutingLeases, 'held'>;
  registry: Registry;
  findings: FindingStore;
  admins: TreeAuditMeans['admins'] & { close(): Promise<void> };
  /** For a login and for each list, in milliseconds. */
  imapTimeout: number;
  /** How long what is left over is kept, in milliseconds. */
  retention: number;
  /** How long the right to a tree lasts without renewal, in milliseconds. */
  lease: number;
  moveOf: TreeAuditMeans['moveOf'];
  /** The moves of a run; undefined where there is no such run. */
  ofRun: (run: string) => Promise<readonly Move[] | undefined>;
  driver: Pick<MoveDriver, 'manifest' | 'discard'>;
  /** What `found` lacks of a manifest. */
  differences: (manifest: Manifest, found: Manifest) => readonly string[];
}

/** How many trees are looked at at once. */
const atOnce = 16;

const unseen = 'what lies on a disk without being in the list of mailboxes of its server is not seen over IMAP';

export function leftOverOperations(means: LeftOverMeans): LeftOverOperations {
  return {
    audit: (choice) => withLists(means, (lists) => audited(choice, means, lists)),
    async found(kind) {
      const all = await means.findings.all();
      const some = all.filter((one) => kind === undefined || one.kind === kind);
      return some.sort((one, other) => one.since - other.since).map(findingValueOf);
    },
    discard: (name, choice) => withLists(means, (lists) => discardLeftOver(movedAs(name), choice, { ...means, lists })),
  };
}

async function withLists<T>(means: LeftOverMeans, work: (lists: MailboxLists) => Promise<T>): Promise<T> {
  const lists = mailboxLists(means.registry, means.imapTimeout);
  try {
    return await work(lists);
  } finally {
    await Promise.all([lists.close(), means.admins.close()]);
  }
}

interface Wanted {
  tree: Bytes;
  servers: readonly Bytes[];
  expected?: Bytes | undefined;
}

async function audited(choice: AuditChoice, means: LeftOverMeans, lists: MailboxLists): Promise<AuditedValue> {
  const { wanted, looked, silent } = await wantedBy(choice, means, lists);
  const all: AuditedTree[] = [];
  for (let at = 0; at < wanted.length; at += atOnce) {
    const some = wanted.slice(at, at + atOnce);
    all.push(...(await Promise.all(some.map((one) => auditOne(one.tree, one, { ...means, lists })))));
  }
  const silence = new Map([...silent, ...all.flatMap((one) => [...one.silent])]);
  return {
    trees: looked,
    findings: all.flatMap(({ findings }) => findings.map(findingValueOf)),
    silent: Array.from(silence, ([server, why]) => `${readable(server)}: ${why}`),
    nowhere: nowhereIn(choice, all).map(readable),
    later: all.flatMap(({ tree, later }) => (later === undefined ? [] : `${readable(tree)}: ${later}`)),
    note: unseen,
  };
}

/** Names that were asked for and that nobody has: misspelt, it may be. Where a server was silent that is not known. */
function nowhereIn(choice: AuditChoice, all: readonly AuditedTree[]): Bytes[] {
  if (!('names' in choice)) return [];
  return all.flatMap(({ tree, there, findings, silent, later }) =>
    there || findings.length > 0 || silent.size > 0 || later !== undefined ? [] : [tree],
  );
}

interface Wish {
  wanted: readonly Wanted[];
  /** How many trees were looked at, those among them of which a list alone said that all is well. */
  looked: number;
  silent: ReadonlyMap<Bytes, string>;
}

async function wantedBy(choice: AuditChoice, means: LeftOverMeans, lists: MailboxLists): Promise<Wish> {
  if ('server' in choice) return atServer(choice.server, means, lists);
  const wanted = 'run' in choice ? await inRun(choice.run, means) : everywhere(choice.names, means);
  return { wanted, looked: wanted.length, silent: new Map() };
}

async function inRun(run: string, { ofRun }: LeftOverMeans): Promise<Wanted[]> {
  const moves = await ofRun(run);
  if (!moves) throw new Refusal('missing', `there is no run ${readable(bytesFromText(run))}`);
  return moves.map(({ name, from, to, state }) => {
    const expected = state === 'done' ? to.server : state === 'back' ? from.server : undefined;
    return { tree: name, servers: [from.server, to.server], expected };
  });
}

/** Whoever names trees wants to know of every server. */
function everywhere(names: readonly Bytes[], { registry }: LeftOverMeans): Wanted[] {
  const servers = registry
    .all()
    .filter(({ imap }) => imap)
    .map(({ name }) => bytesFromText(name));
  return [...new Set(names.map(movedAs))].map((tree) => ({ tree, servers }));
}

/** Only trees for which the one long list and the directory differ are looked at by themselves, and those that did before. */
async function atServer(server: string, means: LeftOverMeans, lists: MailboxLists): Promise<Wish> {
  const name = bytesFromText(server);
  if (!means.registry.find(server)) throw new Refusal('missing', `there is no backend ${readable(name)}`);
  const listing = await lists.all(name);
  if (listing.is === 'silent') return { wanted: [], looked: 0, silent: new Map([[name, listing.why]]) };
  const rows = (await means.directory.list(`${name}!`)).filter(({ version }) => version > 0);
  const there = new Set(listing.names);
  const active = new Set(rows.filter((row) => row.state === 'active' && there.has(row.name)).map((row) => row.name));
  const differing = [...listing.names, ...rows.map((row) => row.name)].filter((one) => !active.has(one));
  const before = (await means.findings.all()).filter((one) => one.server === name).map(({ tree }) => tree);
  const trees = new Set([...differing.map(movedAs), ...before]);
  const looked = new Set([...listing.names, ...rows.map((row) => row.name)].map(movedAs)).size;
  return { wanted: Array.from(trees, (tree) => ({ tree, servers: [name] })), looked, silent: new Map() };
}

export function findingValueOf({ kind, tree, server, at, names, since }: Finding & { since: number }): FindingValue {
  return {
    ...{ kind, tree: readable(tree), server: readable(serverOf(server)) },
    ...(at !== undefined && { at: readable(at) }),
    ...{ mailboxes: names.map(readable), since: timeText(since) },
  };
}
