// Reads the trees that a plan is about: those that are named, and those that it is compared with later.
import type { Directory } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { shardOf } from '../directory/redis/keys.ts';
import { placeOf } from '../directory/tree.ts';
import type { WalkedTree } from '../directory/tree.ts';
import { walkTrees } from '../directory/tree-walk.ts';
import type { Plan } from './plan.ts';

type Reading = Pick<Directory, 'trees' | 'snapshot' | 'tree'>;

/** So many names are looked up one by one; for more all trees are read. */
export const fewNames = 2000;

/** How many of them at once. */
const atOnce = 100;

/** The rows that a plan is compared with (changedSince): of its names, and of the servers that it empties. */
export async function rowsFor(plan: Plan, directory: Reading): Promise<Entry[]> {
  const rows: Entry[] = [];
  const names = new Set(plan.moves.map(({ name }) => name));
  const trees = new Set(plan.moves.map(({ name }) => placeOf(name).tree));
  const keep = (row: Entry) => {
    if (names.has(row.name)) rows.push(row);
  };
  if (trees.size <= fewNames) for await (const walked of treesNamed(directory, [...trees])) walked.rows.forEach(keep);
  else
    for await (const walked of walkTrees(directory, undefined)) if (trees.has(walked.tree)) walked.rows.forEach(keep);
  for (const server of plan.emptied) {
    for await (const walked of walkTrees(directory, server)) {
      for (const row of walked.rows) if (!names.has(row.name) && !wasTakenOut(row, plan)) rows.push(row);
    }
  }
  return rows;
}

/** Whether it was there when the plan was made, and is missing in it because somebody who edited it has wanted that. */
function wasTakenOut({ name, version }: Entry, { edited, directory: { position } }: Plan): boolean {
  if (!edited) return false;
  const { seq = -1 } = position[shardOf(placeOf(name).tree, position.length)] ?? {};
  return version <= seq;
}

/** Trees by the names of their roots, a few at a time; one that is not there has no rows. */
export async function* treesNamed(directory: Reading, trees: readonly Bytes[]): AsyncGenerator<WalkedTree> {
  for (let at = 0; at < trees.length; at += atOnce) {
    const some = trees.slice(at, at + atOnce);
    const found = await Promise.all(some.map((tree) => directory.tree(tree)));
    for (const [index, tree] of some.entries()) yield { tree, rows: found[index] ?? [] };
  }
}
