// How fast a run is, and how long the rest will take: by the moves that ended last, so that pauses don't count.
import type { RowEnd } from './run.ts';

/** How many moves that ended last say how fast it is. */
export const recentEnds = 100;

/** What a tree costs beside its octets, said as octets: folders, a login, a cut. */
const treeCost = 20_000_000;

export interface Speed {
  movesPerMinute: number;
  octetsPerSecond: number;
  /** How long what is left will take, in seconds. */
  eta: number;
}

/**
 * `left`: what waits or is under way. Times are in milliseconds since 1970. Undefined where too little has ended to say.
 */
export function speedOf(
  recent: readonly Pick<RowEnd, 'at' | 'octets' | 'state'>[],
  left: { moves: number; octets: number },
  now: number,
): Speed | undefined {
  const moved = recent.filter(({ state, at }) => state === 'done' && at > 0);
  const [first] = moved;
  if (!first || moved.length < 2) return undefined;
  const seconds = (now - first.at) / 1000;
  if (seconds <= 0) return undefined;
  // The first one began before the time that is counted.
  const counted = moved.slice(1);
  const octets = counted.reduce((sum, one) => sum + one.octets, 0);
  const done = octets + counted.length * treeCost;
  const rest = left.octets + left.moves * treeCost;
  return {
    movesPerMinute: (60 * counted.length) / seconds,
    octetsPerSecond: octets / seconds,
    eta: (rest * seconds) / done,
  };
}
