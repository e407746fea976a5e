// How large the trees of a plan are: by their quotas, else counted mailbox by mailbox, as far as that is not too many; else as the mean of those.
import type { ImapAdmins } from '../backends/imap-admins.ts';
import { mostAtOnce } from '../backends/imap-sizes.ts';
import type { TreeSize } from '../backends/imap-sizes.ts';
import { readable } from '../address/bytes.ts';
import { textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Candidate } from './plan-trees.ts';
import { treesText } from './plan.ts';
import type { Sized } from './plan.ts';

/** Trees without a quota that are counted on each server; of more, so many evenly chosen ones stand for all. */
const mostCounted = 5000;

/** Counting opens each mailbox: so many trees at once, that a server answers in time. */
const countedAtOnce = 20;

/**
 * Has the servers tell the sizes, all at once, on one connection each. Gives what is to be known of that, as sentences. A
 * server that does not answer costs its sizes, and nothing else.
 */
export async function findSizes(candidates: readonly Candidate[], admins: Pick<ImapAdmins, 'ask'>): Promise<string[]> {
  const servers = new Map<Bytes, Candidate[]>();
  for (const one of candidates) {
    const there = servers.get(one.from.server);
    if (there) there.push(one);
    else servers.set(one.from.server, [one]);
  }
  const notes = await Promise.all(Array.from(servers, ([server, there]) => sizesOn(server, there, admins)));
  const all = meanOf(candidates);
  for (const there of servers.values()) guess(there, meanOf(there) ?? all);
  return notes.flat();
}

async function sizesOn(server: Bytes, there: readonly Candidate[], admins: Pick<ImapAdmins, 'ask'>): Promise<string[]> {
  const name = textFromBytes(server);
  const ask = (roots: readonly Bytes[], way: 'quotaSizes' | 'countedSizes') =>
    admins.ask(name, (admin) => admin[way](roots));
  try {
    await inBatches(there, mostAtOnce, 'quota', (roots) => ask(roots, 'quotaSizes'));
    const without = there.filter(({ sized }) => sized === 'not');
    const counted = evenly(without, mostCounted);
    await inBatches(counted, countedAtOnce, 'counted', (roots) => ask(roots, 'countedSizes'));
    const left = without.filter(({ sized }) => sized === 'not').length;
    if (left === 0) return [];
    const what = left === 1 ? 'has no quota, or does not tell its' : 'have no quota, or do not tell their';
    const counts = left === 1 ? 'it counts' : 'they count';
    return [`${readable(server)}: ${treesText(left)} ${what} size; ${counts} as the mean`];
  } catch (error) {
    const left = there.filter(({ sized }) => sized === 'not').length;
    const reason = readable(error instanceof Error ? error.message : String(error));
    return [
      `${readable(server)}: the sizes of ${treesText(left)} could not be asked, and count as the mean: ${reason}`,
    ];
  }
}

async function inBatches(
  trees: readonly Candidate[],
  size: number,
  sized: Sized,
  ask: (roots: readonly Bytes[]) => Promise<(TreeSize | undefined)[]>,
): Promise<void> {
  for (let at = 0; at < trees.length; at += size) {
    const some = trees.slice(at, at + size);
    const sizes = await ask(some.map(({ name }) => name));
    some.forEach((tree, index) => {
      const told = sizes[index];
      if (told) Object.assign(tree, told, { sized });
    });
  }
}

/** So many of them at most, from all over the list. */
function evenly<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, at) => all[Math.floor((at * all.length) / most)] as T);
}

/** Undefined where none is known. */
function meanOf(trees: readonly Candidate[]): number | undefined {
  const known = trees.filter(({ sized }) => sized === 'quota' || sized === 'counted');
  if (known.length === 0) return undefined;
  return Math.round(known.reduce((sum, { octets }) => sum + octets, 0) / known.length);
}

function guess(trees: readonly Candidate[], mean: number | undefined): void {
  if (mean === undefined) return;
  for (const tree of trees) if (tree.sized === 'not') Object.assign(tree, { octets: mean, sized: 'mean' });
}
