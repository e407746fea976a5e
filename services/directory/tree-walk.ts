// All trees, or those of a server, one after the other with all their rows: for whoever would not hold a whole directory in memory.
import type { Directory } from './directory.ts';
import { isUnder } from './entry.ts';
import type { Bytes } from './entry.ts';
import { byTree } from './tree.ts';
import type { WalkedTree } from './tree.ts';

/** Each tree that has rows on a server (without one: each tree) as it is when its turn comes; in no order. */
export function walkTrees(
  directory: Pick<Directory, 'snapshot' | 'trees'>,
  server: Bytes | undefined,
): AsyncIterable<WalkedTree> {
  if (directory.trees) return directory.trees(server);
  return grouped(directory, server);
}

/** Of a directory that is in memory anyway. */
async function* grouped(directory: Pick<Directory, 'snapshot'>, server: Bytes | undefined) {
  const { entries } = await directory.snapshot();
  for (const walked of byTree(entries)) {
    const isThere = server === undefined || walked.rows.some(({ location }) => isUnder(location, `${server}!`));
    if (isThere) yield walked;
  }
}
