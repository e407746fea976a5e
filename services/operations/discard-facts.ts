// What has to be known of mailboxes that a server is to forget: gathered for a look, and once more under the right to do it.
import { readable } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText, isGrave } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { finding } from '../directory/freshness.ts';
import { isRemoving } from '../moves/audit.ts';
import type { KeptFinding } from '../moves/audit.ts';
import { deletionProofsOf } from '../moves/deleted-copy.ts';
import type { DeletedFacts } from '../moves/deleted-copy.ts';
import type { MoveDriver } from '../moves/driver.ts';
import { activeAt, proofsOf } from '../moves/left-over.ts';
import type { DiscardFacts, Remains, Proof } from '../moves/left-over.ts';
import type { Manifest } from '../moves/manifest.ts';
import { Refusal } from './refusal.ts';
import { openMove, rowsOf, underWay } from './tree-audit.ts';
import type { TreeAuditMeans } from './tree-audit.ts';

/** What is to be forgotten, and by what proof. */
export interface Left {
  tree: Bytes;
  server: Bytes;
  /** An administrator says that its user was deleted, so that it is whole nowhere else. */
  isDeleted: boolean;
  /** How long it has to have waited, in milliseconds. */
  retention: number;
}

export interface FactMeans extends TreeAuditMeans {
  directory: TreeAuditMeans['directory'] & { copies: Pick<Directory['copies'], 'known'> };
  registry: Pick<Registry, 'all' | 'witnesses'>;
  driver: Pick<MoveDriver, 'manifest'>;
  /** What `found` lacks of a manifest. */
  differences: (manifest: Manifest, found: Manifest) => readonly string[];
}

/** How it is looked at. */
export interface Look {
  /** `brief`: nothing that takes long is asked, and its proof is left out. */
  depth: 'brief' | 'whole';
  /** Whether the right to the tree is ours. */
  isOurs: boolean;
  /** Gives up. */
  signal: AbortSignal;
}

export interface Seen {
  held: readonly Bytes[];
  /** The one server where all of it is active. */
  at: Bytes | undefined;
  proof: readonly Proof[];
  /** Of what is to go; undefined where it was not taken. */
  manifest: Manifest | undefined;
}

/** Rejects with a Refusal where the server cannot be asked. */
export async function seenOf(left: Left, look: Look, means: FactMeans): Promise<Seen> {
  const held = await heldBy(left, look, means);
  return left.isDeleted ? seenDeleted(held, look, means) : seenLeftOver(held, look, means);
}

async function heldBy(
  { tree, server, isDeleted, retention }: Left,
  { isOurs }: Look,
  means: FactMeans,
): Promise<Remains> {
  const kept = (await means.findings.of(tree)).filter((one) => one.server === server);
  const listing = await means.lists.of(server, tree);
  if (listing.is === 'silent')
    throw new Refusal('unavailable', `${readable(server)} could not be asked: ${listing.why}`);
  const moving = isOurs ? await openMove(tree, means) : await underWay(tree, means);
  return {
    ...{ tree, server, finding: tellingOf(kept, isDeleted), retention, held: listing.names },
    ...{ rows: await rowsOf(tree, means), moving, now: Date.now() },
    removing: kept.find((one) => isRemoving(one, server)),
  };
}

/** What may go by itself, else what says why it may not. */
function tellingOf(kept: readonly KeptFinding[], isDeleted: boolean): KeptFinding | undefined {
  const kinds = isDeleted ? (['unknown', 'unasked'] as const) : (['left-over', 'unknown', 'unasked'] as const);
  return kinds.map((kind) => kept.find((one) => one.kind === kind)).find((one) => one !== undefined);
}

/** The copies are compared only where all else is as it must be: that takes long. */
async function seenLeftOver(known: Remains, { depth, isOurs, signal }: Look, means: FactMeans): Promise<Seen> {
  const { held, tree } = known;
  const without: DiscardFacts = { ...known, differences: undefined, uncompared: 'not compared: see above' };
  const at = activeAt(known.rows, held);
  const others = proofsOf(without).slice(0, -1);
  if (depth === 'brief') return { held, at, proof: others, manifest: undefined };
  if (at === undefined || !isProven(others)) return { held, at, proof: proofsOf(without), manifest: undefined };
  const { manifest, ...compared } = await comparedTo(at, known, signal, means);
  // It may have been taken up, or moved, while the copies were compared.
  const rows = await rowsOf(tree, means);
  const moving = isOurs ? await openMove(tree, means) : await underWay(tree, means);
  const isStill = activeAt(rows, held) === at;
  const now = isStill ? compared : { differences: undefined, uncompared: 'it has moved on meanwhile' };
  return { held, at, proof: proofsOf({ ...without, rows, moving, ...now, now: Date.now() }), manifest };
}

async function comparedTo(
  at: Bytes,
  { tree, server }: Remains,
  signal: AbortSignal,
  { driver, differences }: FactMeans,
): Promise<Pick<DiscardFacts, 'differences' | 'uncompared'> & { manifest: Manifest | undefined }> {
  const manifest = await driver.manifest(server, tree, signal);
  if (!manifest) return { manifest, differences: undefined, uncompared: `${readable(server)} tells nothing of it` };
  const active = await driver.manifest(at, tree, signal);
  if (!active) return { manifest, differences: undefined, uncompared: `${readable(at)} has nothing of it` };
  return { manifest, differences: differences(manifest, active), uncompared: '' };
}

/** The manifest shows what will be gone for good. */
async function seenDeleted(known: Remains, { depth, isOurs, signal }: Look, means: FactMeans): Promise<Seen> {
  const { held, tree, server } = known;
  const facts: DeletedFacts = {
    ...known,
    doubt: await doubtOf(known, isOurs, means),
    copy: await means.directory.copies.known(tree),
    others: await othersWith(known, means),
  };
  const proof = deletionProofsOf(facts);
  const isShown = depth === 'whole' && isProven(proof);
  const manifest = isShown ? await means.driver.manifest(server, tree, signal) : undefined;
  return { held, at: undefined, proof, manifest };
}

/** Why any of these names may be there all the same. */
async function doubtOf({ tree, held }: Remains, isOurs: boolean, means: FactMeans): Promise<string | undefined> {
  const names = [...new Set([tree, ...held])];
  const asked = Date.now();
  const lookup = await means.directory.lookup(names);
  const grave = lookup.entries.find((entry) => entry && isGrave(entry));
  if (grave) return `${readable(grave.name)} was deleted a moment ago`;
  // A lease that we hold is no doubt.
  const concerns = lookup.concerns.map((one) => (isOurs && one?.kind === 'lease' ? undefined : one));
  const facts = { names, witnesses: means.registry.witnesses(), asked, now: Date.now(), autocreate: false };
  const found = finding({ ...facts, lookup: { ...lookup, concerns } });
  if (found.found) return 'it is in the directory';
  return found.proven ? undefined : found.reason;
}

/** A backend that has it, and whose row is lost, has the mailbox of somebody who lives. */
async function othersWith({ tree, server, held }: Remains, { registry, lists }: FactMeans): Promise<string[]> {
  const others = registry
    .all()
    .map(({ name }) => bytesFromText(name))
    .filter((name) => name !== server);
  const told = await Promise.all(
    others.map(async (name) => {
      const listing = await lists.of(name, tree);
      if (listing.is === 'silent') return [`${readable(name)} could not be asked: ${listing.why}`];
      const same = listing.names.find((one) => one === tree || held.includes(one));
      return same === undefined ? [] : [`${readable(name)} has ${readable(same)}`];
    }),
  );
  return told.flat();
}

export function isProven(proof: readonly Proof[]): boolean {
  return proof.every(({ is }) => is);
}
