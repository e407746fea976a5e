// A server's space as its partitions make it up, the way Cyrus counts it.
import { lessPromised } from './facts.ts';
import type { Space } from './facts.ts';
import { percentFree } from './selection.ts';
import type { Mode } from './selection.ts';

/** Space as it was told, and what of it is promised. */
export interface Figure extends Space {
  promisedKiB: number;
}

/**
 * What the server is weighed by: in the mode `freespace-most` all its filesystems together, each counted once; in the
 * others its partition with the most free space in percent (imap_proxy.c, proxy_part_filldata). Of partitions that may be
 * selected; undefined when there are none.
 */
export function serverSpace(
  partitions: readonly (Figure & { filesystem?: string | undefined })[],
  mode: Mode,
): Figure | undefined {
  const first = partitions.filter(
    ({ filesystem }, at) =>
      filesystem === undefined || partitions.findIndex((other) => other.filesystem === filesystem) === at,
  );
  if (first.length === 0) return undefined;
  return first.reduce((one, other) => (mode === 'freespace-most' ? added(one, other) : emptier(one, other)));
}

function added(one: Figure, other: Figure): Figure {
  return {
    availableKiB: one.availableKiB + other.availableKiB,
    totalKiB: one.totalKiB + other.totalKiB,
    promisedKiB: one.promisedKiB + other.promisedKiB,
  };
}

function emptier(one: Figure, other: Figure): Figure {
  const free = (figure: Figure) => percentFree(lessPromised(figure, figure.promisedKiB)) ?? -1;
  return free(other) > free(one) ? other : one;
}
