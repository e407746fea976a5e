// A left-over removed at its server: proven anew at that moment, and looked at afterwards.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Directory } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { MoveDriver } from '../moves/driver.ts';
import { activeAt, proofsOf } from '../moves/left-over.ts';
import type { DiscardFacts } from '../moves/left-over.ts';
import type { Manifest } from '../moves/manifest.ts';
import { Refusal } from './refusal.ts';
import { auditOne, rowsOf, underWay } from './tree-audit.ts';
import type { TreeAuditMeans } from './tree-audit.ts';

export const discardValue = z
  .object({
    tree: z.string(),
    server: z.string(),
    result: z.enum(['discarded', 'would discard', 'kept']),
    at: z.string().optional().meta({ description: 'Where all of it is active.' }),
    mailboxes: z.array(z.string()).meta({ description: 'What the server has of it, or had.' }),
    messages: z.int().meta({ description: 'In these, as the manifest of the left-over has them.' }),
    octets: z.int(),
    proof: z.array(
      z.object({ what: z.string(), is: z.boolean().meta({ description: 'Whether it is so.' }), note: z.string() }),
    ),
    left: z.array(z.string()).meta({ description: 'What the server still lists of it afterwards.' }),
  })
  .meta({
    id: 'Discard',
    description: 'What was left over, what proves that it is whole elsewhere, and what was done.',
  });

export type DiscardValue = z.output<typeof discardValue>;

export interface DiscardMeans extends TreeAuditMeans {
  directory: TreeAuditMeans['directory'] & Pick<Directory, 'lease' | 'release'>;
  registry: Pick<Registry, 'find'>;
  /** In milliseconds. */
  retention: number;
  driver: Pick<MoveDriver, 'manifest' | 'discard'>;
  differences: (manifest: Manifest, found: Manifest) => readonly string[];
}

/** How long two manifests may take, in milliseconds. */
const patience = 600_000;

export async function discardLeftOver(
  tree: Bytes,
  { server: name, dryRun, now }: { server: string; dryRun: boolean; now?: string | undefined },
  means: DiscardMeans,
): Promise<DiscardValue> {
  if (!means.registry.find(name)) throw new Refusal('missing', `there is no backend ${readable(bytesFromText(name))}`);
  const server = bytesFromText(name);
  const { facts, manifest } = await factsOf(tree, server, now === undefined ? means.retention : 0, means);
  const proof = proofsOf(facts);
  const missing = proof.find(({ is }) => !is);
  const at = activeAt(facts.rows, facts.held);
  const told = (result: DiscardValue['result'], left: readonly Bytes[]): DiscardValue => ({
    ...{ tree: readable(tree), server: readable(server), result, ...(at !== undefined && { at: readable(at) }) },
    ...{ mailboxes: facts.held.map(readable), ...sizeOf(manifest), proof, left: left.map(readable) },
  });
  if (dryRun) return told(missing ? 'kept' : 'would discard', facts.held);
  if (missing) {
    throw new Refusal('unsafe', `${readable(tree)} stays at ${readable(server)}: ${missing.what}: no, ${missing.note}`);
  }
  await alone(tree, at ?? server, facts, means);
  // The audit sees what is there now, and forgets what it had found.
  await auditOne(tree, { servers: [server] }, means);
  const after = await means.lists.of(server, tree);
  return told('discarded', after.is === 'told' ? after.names : []);
}

/** How long the right to the tree lasts without renewal, in milliseconds. */
const lease = 30_000;

/**
 * Removes it while nobody else may move the tree: what is moved to the server at that very moment is no left-over. Mail for
 * the tree is put off for as long.
 */
async function alone(tree: Bytes, at: Bytes, facts: DiscardFacts, means: DiscardMeans): Promise<void> {
  const { directory, driver } = means;
  const right = { destination: at, token: `discard-${randomUUID()}` };
  const take = () => directory.lease(tree, right, lease);
  if (!(await take())) throw new Refusal('unsafe', `${readable(tree)}: somebody has begun to move it`);
  const renewing = setInterval(() => void take().catch(() => undefined), lease / 3);
  try {
    const move = await means.moveOf(tree);
    const isSame = JSON.stringify(await rowsOf(tree, means)) === JSON.stringify(facts.rows);
    if (move?.state === 'open' || !isSame) throw new Refusal('unsafe', `${readable(tree)}: it has changed meanwhile`);
    await driver.discard(facts.server, tree);
  } finally {
    clearInterval(renewing);
    await directory.release(tree, right.token);
  }
}

/** The copies are compared only where all else is as it must be: that takes long. */
async function factsOf(
  tree: Bytes,
  server: Bytes,
  retention: number,
  means: DiscardMeans,
): Promise<{ facts: DiscardFacts; manifest: Manifest | undefined }> {
  const kept = await means.findings.of(tree);
  const finding = kept.find((one) => one.kind === 'left-over' && one.server === server);
  const listing = await means.lists.of(server, tree);
  if (listing.is === 'silent')
    throw new Refusal('unavailable', `${readable(server)} could not be asked: ${listing.why}`);
  const without: DiscardFacts = {
    ...{ tree, server, finding, retention, held: listing.names, rows: await rowsOf(tree, means), now: Date.now() },
    ...{ moving: await underWay(tree, means), differences: undefined, uncompared: 'not compared: see above' },
  };
  const others = proofsOf(without).slice(0, -1);
  const at = activeAt(without.rows, without.held);
  if (at === undefined || others.some(({ is }) => !is)) return { facts: without, manifest: undefined };
  const { manifest, differences, uncompared } = await compared(tree, server, at, means);
  // It may have been taken up, or moved, while the copies were compared.
  const [rows, moving] = [await rowsOf(tree, means), await underWay(tree, means)];
  const facts = { ...without, rows, moving, differences, uncompared, now: Date.now() };
  return {
    facts:
      activeAt(rows, without.held) === at
        ? facts
        : { ...facts, differences: undefined, uncompared: 'it has moved on meanwhile' },
    manifest,
  };
}

interface Compared {
  manifest: Manifest | undefined;
  differences: readonly string[] | undefined;
  uncompared: string;
}

async function compared(tree: Bytes, server: Bytes, at: Bytes, means: DiscardMeans): Promise<Compared> {
  const { driver, differences } = means;
  const signal = AbortSignal.timeout(patience);
  const manifest = await driver.manifest(server, tree, signal);
  if (!manifest) return { manifest, differences: undefined, uncompared: `${readable(server)} tells nothing of it` };
  const active = await driver.manifest(at, tree, signal);
  if (!active) return { manifest, differences: undefined, uncompared: `${readable(at)} has nothing of it` };
  return { manifest, differences: differences(manifest, active), uncompared: '' };
}

function sizeOf(manifest: Manifest | undefined): { messages: number; octets: number } {
  const kept = (manifest?.mailboxes ?? []).flatMap(({ messages }) => messages.filter(({ expunged }) => !expunged));
  return { messages: kept.length, octets: kept.reduce((sum, { size }) => sum + size, 0) };
}
