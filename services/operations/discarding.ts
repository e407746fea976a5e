// A left-over removed at its server: under the right to its tree, proven anew at that moment, and looked at afterwards.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { kindOf } from '../events/failure.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Listing } from '../moves/audit.ts';
import type { MoveDriver } from '../moves/driver.ts';
import type { FindingStore } from '../moves/finding-store.ts';
import { LeaseKeeper } from '../moves/lease-keeper.ts';
import type { LeaseKeeperOptions } from '../moves/lease-keeper.ts';
import type { Manifest } from '../moves/manifest.ts';
import { isProven, seenOf } from './discard-facts.ts';
import type { FactMeans, Left, Seen } from './discard-facts.ts';
import { Refusal } from './refusal.ts';
import { auditOne } from './tree-audit.ts';

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
    note: z.string().optional().meta({ description: 'What is to be looked at after all.' }),
  })
  .meta({
    id: 'Discard',
    description: 'What was left over, what proves that it is whole elsewhere, and what was done.',
  });

export type DiscardValue = z.output<typeof discardValue>;

export interface DiscardMeans extends FactMeans {
  findings: FactMeans['findings'] & Pick<FindingStore, 'removing' | 'removed'>;
  directory: FactMeans['directory'] & LeaseKeeperOptions['directory'] & Pick<Directory, 'lookup'>;
  routing: LeaseKeeperOptions['routing'];
  registry: FactMeans['registry'] & Pick<Registry, 'find'>;
  /** In milliseconds. */
  retention: number;
  /** How long the right to a tree lasts without renewal, in milliseconds. */
  lease: number;
  driver: Pick<MoveDriver, 'manifest' | 'discard'>;
}

export interface DiscardWish {
  server: string;
  dryRun: boolean;
  /** Why it is not to wait; left out: it waits. */
  now?: string | undefined;
  /** Why it may go though it is whole nowhere else: its user was deleted. Left out: it is whole elsewhere. */
  deleted?: string | undefined;
  /**
   * Why an order of before, which the server has not answered, is carried out no more: that is noted, and nothing is removed
   * now. Left out: it may be.
   */
  settled?: string | undefined;
}

/** How long two manifests may take, in milliseconds. */
const patience = 600_000;

/** How long everybody who routes mail may take to hear that the tree is ours, in milliseconds. */
const hearing = 60_000;

export async function discardLeftOver(tree: Bytes, wish: DiscardWish, means: DiscardMeans): Promise<DiscardValue> {
  const { server: name, dryRun, now, deleted, settled } = wish;
  if (!means.registry.find(name)) throw new Refusal('missing', `there is no backend ${readable(bytesFromText(name))}`);
  const retention = now === undefined ? means.retention : 0;
  const server = bytesFromText(name);
  const left: Left = { tree, server, isDeleted: deleted !== undefined, retention };
  if (settled !== undefined && !dryRun) await means.findings.removed(tree, server);
  if (dryRun || settled !== undefined) return shown(left, means);
  // What speaks against it at once is said before mail for the tree waits.
  const before = await seenOf(left, { depth: 'brief', isOurs: false, signal: AbortSignal.timeout(patience) }, means);
  refuseUnproven(left, before);
  const { seen, note } = await underRight(left, before.at, means);
  // The audit sees what is there now, and forgets what it had found.
  await auditOne(tree, { servers: [left.server] }, means);
  const after = await means.lists.of(left.server, tree);
  const still = after.is === 'told' ? after.names : [];
  return { ...valueOf(left, seen, 'discarded', still), ...(note !== undefined && { note }) };
}

async function shown(left: Left, means: DiscardMeans): Promise<DiscardValue> {
  const look = { depth: 'whole', isOurs: false, signal: AbortSignal.timeout(patience) } as const;
  const seen = await seenOf(left, look, means);
  return valueOf(left, seen, isProven(seen.proof) ? 'would discard' : 'kept', seen.held);
}

/**
 * Removes it while nobody else may move the tree: what is moved to the server at that very moment is no left-over. Mail for
 * the tree is put off for as long, and all is proven anew once everybody has heard of that: whoever still had it in mind
 * at the server may have delivered to it until then.
 */
async function underRight(left: Left, at: Bytes | undefined, means: DiscardMeans): Promise<Done> {
  const { directory, routing, lease: milliseconds } = means;
  const { tree, server } = left;
  const token = `discard-${randomUUID()}`;
  const right = new LeaseKeeper({ directory, routing, name: tree, destination: at ?? server, token, milliseconds });
  if (!(await right.take())) throw new Refusal('unsafe', `${readable(tree)}: somebody has begun to move it`);
  try {
    await right.everybodyHears(AbortSignal.timeout(hearing)).catch((error: unknown) => {
      if (!right.holds) throw error;
      const why = `not everybody who routes mail has heard that ${readable(tree)} is being looked after`;
      throw new Refusal('unavailable', `${why}: nothing is removed`, { cause: error });
    });
    const signal = AbortSignal.any([right.signal, AbortSignal.timeout(patience)]);
    const seen = await seenOf(left, { depth: 'whole', isOurs: true, signal }, means);
    refuseUnproven(left, seen);
    return { seen, note: await removed(left, right, means) };
  } catch (error) {
    if (error instanceof Refusal || right.holds) throw error;
    throw new Refusal('unsafe', `the right to ${readable(tree)} was lost: nothing is removed`, { cause: error });
  } finally {
    await right.giveBack();
  }
}

interface Done {
  seen: Seen;
  note: string | undefined;
}

/** Rejects with a Refusal where the server was told and what came of it is not clear; what is to be looked at, if anything. */
async function removed({ tree, server }: Left, right: LeaseKeeper, means: DiscardMeans): Promise<string | undefined> {
  const { driver, findings } = means;
  let isTold = false as boolean;
  // Written down first: whoever is killed, or gets no answer, leaves an order behind that may be carried out at any time.
  const confirm = async (): Promise<void> => {
    await findings.removing(tree, server, Date.now());
    await right.confirm();
    isTold = true;
  };
  const [name, at] = [readable(tree), readable(server)];
  const look = `see to it by: rookery move audit ${name}`;
  try {
    await driver.discard(server, tree, confirm);
    await findings.removed(tree, server);
  } catch (error) {
    if (!isTold || isAnswered(error)) await findings.removed(tree, server);
    if (!isTold) throw error;
    const said = error instanceof Error ? error.message : String(error);
    const has = listed(await means.lists.of(server, tree));
    throw new Refusal('unavailable', `${at} was told to remove ${name}: ${said}. ${at} ${has}; ${look}`, {
      cause: error,
    });
  }
  return right.holds ? undefined : `the right to ${name} was lost while ${at} removed it; ${look}`;
}

/** Whether the server has said what comes of it; where the connection broke, or time was up, nobody knows. */
function isAnswered(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === 'busy' || kind === 'refused';
}

function listed(listing: Listing): string {
  if (listing.is === 'silent') return `cannot be asked what it still has`;
  return listing.names.length === 0
    ? 'has nothing of it any more'
    : `still has ${listing.names.length} mailboxes of it`;
}

function refuseUnproven({ tree, server }: Left, { proof }: Seen): void {
  const missing = proof.find(({ is }) => !is);
  if (!missing) return;
  throw new Refusal('unsafe', `${readable(tree)} stays at ${readable(server)}: ${missing.what}: no, ${missing.note}`);
}

function valueOf(
  { tree, server }: Left,
  { held, at, proof, manifest }: Seen,
  result: DiscardValue['result'],
  left: readonly Bytes[],
): DiscardValue {
  return {
    ...{ tree: readable(tree), server: readable(server), result, ...(at !== undefined && { at: readable(at) }) },
    ...{ mailboxes: held.map(readable), ...sizeOf(manifest), proof: [...proof], left: left.map(readable) },
  };
}

function sizeOf(manifest: Manifest | undefined): { messages: number; octets: number } {
  const kept = (manifest?.mailboxes ?? []).flatMap(({ messages }) => messages.filter(({ expunged }) => !expunged));
  return { messages: kept.length, octets: kept.reduce((sum, { size }) => sum + size, 0) };
}
