// The order in which planned moves begin.
import type { Bytes } from '../directory/entry.ts';
import type { PlannedMove } from './plan.ts';

/**
 * Between each two servers the longest first, so that no long one is left over at the end; and all pairs of servers side by
 * side, each as far as the others in its share of the work, so that at any moment no source and no destination has more than
 * its part, and all are done at the same time. Equals go by name.
 */
export function ordered(moves: readonly PlannedMove[]): PlannedMove[] {
  const pairs = new Map<Bytes, PlannedMove[]>();
  for (const move of moves) {
    const key = `${move.from.server}\0${move.to.server}`;
    const pair = pairs.get(key);
    if (pair) pair.push(move);
    else pairs.set(key, [move]);
  }
  const placed = Array.from(pairs.values()).flatMap(progress);
  placed.sort((one, other) => one.at - other.at || longestFirst(one.move, other.move));
  return placed.map(({ move }) => move);
}

/** Each with the part of its pair's work that is begun before it, from 0 to below 1. */
function progress(pair: PlannedMove[]): { move: PlannedMove; at: number }[] {
  pair.sort(longestFirst);
  const all = pair.reduce((sum, { seconds }) => sum + seconds, 0);
  let begun = 0;
  return pair.map((move) => {
    const at = begun / all;
    begun += move.seconds;
    return { move, at };
  });
}

function longestFirst(one: PlannedMove, other: PlannedMove): number {
  return other.seconds - one.seconds || other.octets - one.octets || (one.name < other.name ? -1 : 1);
}
