// One tree looked at in three places at once: the directory, and every server that may have something of it.
import { isGrave, textFromBytes, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { isUser } from '../address/user-name.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Directory } from '../directory/directory.ts';
import { auditTree } from '../moves/audit.ts';
import type { Finding, Listing } from '../moves/audit.ts';
import type { FindingStore } from '../moves/finding-store.ts';
import type { Move } from '../moves/move.ts';
import type { MailboxLists } from './mailbox-lists.ts';

export interface TreeAuditMeans {
  directory: Pick<Directory, 'tree' | 'lookup'>;
  lists: MailboxLists;
  admins: Pick<ImapAdmins, 'ask'>;
  findings: Pick<FindingStore, 'looked' | 'of'>;
  /** The move of a name, open or over; undefined where none is known. */
  moveOf: (name: Bytes) => Promise<Move | undefined>;
}

export interface AuditedTree {
  tree: Bytes;
  /** Whether the directory, or a server, has anything of it, as far as is known. */
  there: boolean;
  /** Those that are kept, of servers that were not asked now, too. */
  findings: readonly (Finding & { since: number })[];
  /** Servers that said nothing, and why. */
  silent: ReadonlyMap<Bytes, string>;
  /** Why nothing can be found at this moment; left out where it can. */
  later?: string;
}

/** A tree that changes while it is looked at is looked at again, so often. */
const attempts = 3;

/** Audits a tree at these servers, and at those that its rows name; what is found is kept. */
export async function auditOne(
  tree: Bytes,
  { servers, expected }: { servers: readonly Bytes[]; expected?: Bytes | undefined },
  means: TreeAuditMeans,
): Promise<AuditedTree> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const busy = await underWay(tree, means);
    if (busy !== undefined) return later(tree, busy, means);
    const rows = await rowsOf(tree, means);
    const asked = new Set([...servers, ...rows.map(({ location }) => serverOf(location))]);
    const lists = new Map(
      await Promise.all(Array.from(asked, async (server) => [server, await means.lists.of(server, tree)] as const)),
    );
    if (versionsOf(await rowsOf(tree, means)) !== versionsOf(rows)) continue;
    const found = await confirmed(auditTree({ tree, rows, lists, expected }), means);
    const told = new Set([...lists].flatMap(([server, { is }]) => (is === 'told' ? server : [])));
    const findings = await means.findings.looked(tree, found, told, Date.now());
    const there =
      rows.some((row) => !isGrave(row)) || [...lists.values()].some((one) => one.is === 'told' && one.names.length > 0);
    return { tree, there, findings, silent: silentIn(lists) };
  }
  return later(tree, 'it changes under every look', means);
}

async function later(tree: Bytes, why: string, { findings }: TreeAuditMeans): Promise<AuditedTree> {
  return { tree, there: true, findings: await findings.of(tree), silent: new Map(), later: why };
}

/** Whether somebody moves it: then what is at two servers is on its way. */
export async function underWay(
  tree: Bytes,
  means: Pick<TreeAuditMeans, 'directory' | 'moveOf'>,
): Promise<string | undefined> {
  const open = await openMove(tree, means);
  if (open !== undefined) return open;
  const [concern] = (await means.directory.lookup([tree])).concerns;
  return concern?.kind === 'lease' ? concern.text : undefined;
}

/** The same for who has the lease on it himself. */
export async function openMove(tree: Bytes, { moveOf }: Pick<TreeAuditMeans, 'moveOf'>): Promise<string | undefined> {
  const move = await moveOf(tree);
  return move?.state === 'open' ? `a move of it is open: ${move.step}` : undefined;
}

/** A user's tree is one; of a shared one each mailbox moves by itself. */
export async function rowsOf(tree: Bytes, { directory }: Pick<TreeAuditMeans, 'directory'>): Promise<Entry[]> {
  const rows = await directory.tree(tree);
  return isUser(tree) ? rows : rows.filter(({ name }) => name === tree);
}

function versionsOf(rows: readonly Entry[]): string {
  return JSON.stringify(rows.map(({ name, state, version }) => [name, state, version]).sort());
}

function silentIn(lists: ReadonlyMap<Bytes, Listing>): Map<Bytes, string> {
  return new Map([...lists].flatMap(([server, one]) => (one.is === 'silent' ? [[server, one.why] as const] : [])));
}

/** LIST proves nothing alone: what a server is said to lack it is asked for by name. */
async function confirmed(found: readonly Finding[], { admins }: TreeAuditMeans): Promise<Finding[]> {
  const all = await Promise.all(
    found.map(async (finding) => {
      if (finding.kind !== 'missing') return finding;
      const server = textFromBytes(finding.server);
      const lacking: Bytes[] = [];
      for (const name of finding.names) {
        const holding = await admins.ask(server, (admin) => admin.holds(name)).catch(() => 'silent' as const);
        if (holding === 'lacks') lacking.push(name);
      }
      return { ...finding, names: lacking };
    }),
  );
  return all.filter(({ names }) => names.length > 0);
}
