// The steps of a move in which copies are written down and compared, mailbox by mailbox.
import { isDeepStrictEqual } from 'node:util';
import { readable } from '../services/address/bytes.ts';
import type { Lookup } from '../services/directory/directory.ts';
import { isGrave } from '../services/directory/entry.ts';
import type { Bytes, Entry } from '../services/directory/entry.ts';
import { isDeletedName } from '../services/directory/settling.ts';
import { JobFailure } from '../services/events/failure.ts';
import { countNumberedAnew, missingNames, without } from '../services/moves/manifest-comparison.ts';
import type { Manifest } from '../services/moves/manifest.ts';
import type { Move } from '../services/moves/move.ts';
import type { Kept } from '../services/moves/move-store.ts';
import { goesAlong, standingOf } from '../services/moves/standing.ts';
import { doubtOf } from './move-facts.ts';
import type { Memory } from './move-facts.ts';
import { limits, shown } from './move-work.ts';
import type { Work } from './move-work.ts';

/** Kept only where the rows are as they were: a source that hands over meanwhile shows less than it had. */
export async function takeManifest(kept: Kept, work: Work): Promise<undefined> {
  const { directory, driver, manifests, memory, name } = work;
  const { keeper } = memory;
  const at = await shown(kept, { step: 'manifest' }, work);
  if (!at || !keeper) return;
  const before = await directory.tree(name);
  const manifest = await driver.manifest(at.move.from.server, name, limits(work));
  if (!manifest || !isDeepStrictEqual(before, await directory.tree(name))) return;
  const missing = unlisted(at.move, manifest, before);
  // A cut would have the destination lose what the source does not have.
  if (missing.length > 0)
    throw new JobFailure('refused', `${readable(at.move.from.server)} lacks ${missing.join(', ')}`);
  await keeper.confirm();
  memory.compared = {};
  await manifests.keep(at.move, manifest, keeper.token);
  const messages = manifest.mailboxes.flatMap((one) => one.messages.filter(({ expunged }) => !expunged));
  const octets = messages.reduce((sum, { size }) => sum + size, 0);
  await shown(at, { messages: messages.length, octets }, work);
}

/** Folders that the directory has at the source, and the source does not show. */
function unlisted(move: Move, { mailboxes }: Manifest, rows: readonly Entry[]): string[] {
  const shown = new Set(mailboxes.map(({ name }) => name));
  const { atSource } = standingOf(move, rows);
  return atSource.filter((name) => !shown.has(name)).map(readable);
}

export async function verify(withSource: boolean, kept: Kept, work: Work): Promise<undefined> {
  const { driver, manifests, memory, name, differences, remarks } = work;
  const { from, to } = kept.move;
  const at = await shown(kept, { step: 'verify' }, work);
  const head = await manifests.head(kept.move);
  const written = await manifests.read(kept.move);
  if (!at || !head || !written) return;
  const found = await driver.manifest(to.server, name, limits(work));
  if (!found) return;
  const manifest = without(written, await deletedOf(missingNames(written, found), work));
  const source = withSource ? await besideSource({ manifest, found }, from.server, work) : {};
  const lacking = differences(manifest, found);
  const anew = countNumberedAnew(manifest, found);
  const otherwise = [
    ...remarks(manifest, found),
    ...(anew > 0 ? [`messages that have been numbered anew by their server: ${anew}`] : []),
  ];
  if (!(await remarked(at, otherwise, work))) return;
  const others = misplaced(at.move, found);
  memory.partitions = partitionsOf(found);
  memory.compared = {
    ...{ hold: head.hold, under: memory.keeper?.token, manifest: lacking, misplaced: others },
    lacks: await lackedBy(found, at.move, work),
    ...source,
  };
  await manifests.compared(at.move, head.hold, lacking.length === 0 && others.length === 0);
}

/**
 * Kept until the move is over, for another job may end it; undefined where somebody else has changed it. Nothing is lost by
 * any of it, but whoever has messages that were numbered anew in a client of his fetches them again.
 */
async function remarked(at: Kept, remarks: readonly string[], work: Work): Promise<Kept | undefined> {
  for (const remark of remarks) work.desk.log(remark);
  if (remarks.length > 0)
    work.log.warn({ mailbox: readable(work.name), remarks }, 'move: compared, and otherwise without a loss');
  return isDeepStrictEqual(at.move.remarks ?? [], remarks) ? at : shown(at, { remarks }, work);
}

/** What the directory has of the tree, and the server does not. */
async function lackedBy({ mailboxes }: Manifest, move: Move, { directory, name }: Work): Promise<Bytes[]> {
  const there = new Set(mailboxes.map((mailbox) => mailbox.name));
  const rows = (await directory.tree(name)).filter((row) => goesAlong(move.name, row.name) && !isGrave(row));
  return rows.flatMap((row) => (there.has(row.name) ? [] : [row.name]));
}

/**
 * Folders that the directory proves to be deleted: their owner has done that since the manifest was taken, at a server that keeps
 * nothing of what is deleted. The root is not among them.
 */
async function deletedOf(missing: readonly Bytes[], work: Work): Promise<ReadonlySet<Bytes>> {
  const { directory, registry, clock, name } = work;
  const names = missing.filter((one) => one !== name);
  const asked = clock();
  const all = await Promise.all(names.map((one) => directory.lookup([one])));
  const isDeleted = (one: Bytes, lookup: Lookup | undefined): boolean => {
    const [row] = lookup?.entries ?? [];
    if (!lookup || row) return row?.state === 'tombstone';
    return doubtOf({ lookup, asked }, { name: one, registry, now: clock() }) === undefined;
  };
  return new Set(names.filter((one, at) => isDeleted(one, all[at])));
}

/** What the source shows now, and `found` lacks; and what the source lacks of what it had. */
async function besideSource(
  { manifest, found }: Record<'manifest' | 'found', Manifest>,
  server: Bytes,
  work: Work,
): Promise<Pick<Memory['compared'], 'source' | 'spare'>> {
  const source = await work.driver.manifest(server, work.name, limits(work));
  const nothing = [`${readable(server)} shows nothing of it`];
  if (!source) return { source: nothing, spare: nothing };
  return { source: work.differences(source, found), spare: work.differences(manifest, source) };
}

/** Which of its mailboxes are not on the partition that the move names; those that were deleted and are kept don't count. */
function misplaced({ to }: Move, { mailboxes }: Manifest): Bytes[] {
  const others = mailboxes.filter(({ name, partition }) => partition !== to.partition && !isDeletedName(name));
  return to.partition === '' ? [] : others.map(({ name }) => name);
}

export function partitionsOf({ mailboxes }: Manifest): ReadonlyMap<Bytes, Bytes> {
  return new Map(mailboxes.map(({ name, partition }) => [name, partition]));
}
