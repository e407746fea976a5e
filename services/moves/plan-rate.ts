// How long a move takes: a time for each tree, and one for its octets; learnt from moves that are over, or supposed.

export interface Rate {
  secondsPerTree: number;
  octetsPerSecond: number;
  /** How many moves that are over it was learnt from; 0: it is supposed. */
  measured: number;
}

/** What is supposed until enough moves are over: a small tree in two seconds, a large one as a network of 200 Mbit/s has it. */
export const supposedRate: Rate = { secondsPerTree: 2, octetsPerSecond: 25_000_000, measured: 0 };

/** Fewer say nothing. */
const fewest = 10;

/** A tree takes that long at least, in seconds. */
const shortest = 0.05;

/** The rate by which these moves took as long as they did, in seconds (the line of least squares). */
export function rateOf(moves: readonly { octets: number; seconds: number }[]): Rate {
  const all = moves.filter(({ octets, seconds }) => octets > 0 && seconds > 0);
  if (all.length < fewest) return supposedRate;
  const mean = (of: (move: { octets: number; seconds: number }) => number) =>
    all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const [octets, seconds] = [mean((one) => one.octets), mean((one) => one.seconds)];
  const spread = mean((one) => (one.octets - octets) ** 2);
  const slope = spread === 0 ? 0 : mean((one) => (one.octets - octets) * (one.seconds - seconds)) / spread;
  // All of one size, or small: nothing is learnt of the octets.
  const perOctet = slope > 0 ? slope : 1 / supposedRate.octetsPerSecond;
  const secondsPerTree = Math.max(shortest, seconds - perOctet * octets);
  return { secondsPerTree: rounded(secondsPerTree), octetsPerSecond: Math.round(1 / perOctet), measured: all.length };
}

/** In seconds. */
export function secondsOf(octets: number, { secondsPerTree, octetsPerSecond }: Rate): number {
  return rounded(secondsPerTree + octets / octetsPerSecond);
}

/** To tenths, and not to nothing. */
function rounded(seconds: number): number {
  return Math.max(0.1, Math.round(10 * seconds) / 10);
}
