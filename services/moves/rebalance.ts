// Which trees are to go where, so that servers are about equally full: as few octets as that takes.

export interface Bin {
  name: string;
  usedKiB: number;
  /** Above 0. */
  totalKiB: number;
  /** What may come, in KiB. */
  roomKiB: number;
  /** One that gets nothing counts as long as it is too full, and never as too empty. */
  takes: boolean;
}

/** A tree that may be moved away from its server. */
export interface Weight {
  KiB: number;
  server: string;
}

export interface Shift<Tree extends Weight> {
  tree: Tree;
  to: string;
}

/** How far the fullest is from the emptiest that may get something, in percent of their space. */
export function spreadOf(bins: readonly Bin[]): number {
  const takers = bins.filter(({ takes }) => takes);
  return takers.length === 0 ? 0 : 100 * (Math.max(...bins.map(fill)) - Math.min(...takers.map(fill)));
}

/** The servers that have too much for all to be within `bound` percent of each other. */
export function overfull(bins: readonly Bin[], bound: number): string[] {
  const { high } = bandOf(bins, bound);
  return spreadOf(bins) <= bound ? [] : bins.filter((bin) => fill(bin) > high).map(({ name }) => name);
}

/**
 * The band of levels, `bound` percent wide, to which the least has to be moved: what is above it fits just into what is below.
 */
function bandOf(bins: readonly Bin[], bound: number): { high: number } {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step += 1) {
    const level = (low + high) / 2;
    const sum = (of: (bin: Bin) => number) => bins.reduce((all, bin) => all + Math.max(0, of(bin)), 0);
    const above = sum(({ usedKiB, totalKiB }) => usedKiB - (level + bound / 100) * totalKiB);
    const below = sum(({ usedKiB, totalKiB, takes }) => (takes ? level * totalKiB - usedKiB : 0));
    if (above > below) low = level;
    else high = level;
  }
  return { high: low + bound / 100 };
}

/**
 * Takes trees from the fullest server to the emptiest that may have them, until all are within `bound` percent of each other,
 * or no tree makes it better. None is moved that would make its destination fuller than its source was: so the spread never
 * grows. `may`: whether a server may have a tree, beside its room; it is asked again for each, and told of each that goes by
 * `taken`.
 */
export function rebalanced<Tree extends Weight>(
  servers: readonly Bin[],
  trees: readonly Tree[],
  bound: number,
  { may, taken }: { may: (tree: Tree, server: string) => boolean; taken: (shift: Shift<Tree>) => void },
): Shift<Tree>[] {
  const bins = servers.map((bin) => ({ ...bin }));
  const { high } = bandOf(bins, bound);
  const stocks = stocksOf(trees);
  const shifts: Shift<Tree>[] = [];
  const done = new Set<string>();
  for (;;) {
    const source = fullest(bins.filter(({ name }) => !done.has(name)));
    if (!source || spreadOf(bins) <= bound) return shifts;
    const found = nextShift(source, bins, stocks.get(source.name) ?? [], { high, may });
    if (!found) {
      done.add(source.name);
      continue;
    }
    const { tree, at, to } = found;
    stocks.get(source.name)?.splice(at, 1);
    source.usedKiB -= tree.KiB;
    to.usedKiB += tree.KiB;
    to.roomKiB -= tree.KiB;
    const shift = { tree, to: to.name };
    taken(shift);
    shifts.push(shift);
  }
}

/** By server, the smallest first. */
function stocksOf<Tree extends Weight>(trees: readonly Tree[]): Map<string, Tree[]> {
  const stocks = new Map<string, Tree[]>();
  for (const tree of trees.toSorted((one, other) => one.KiB - other.KiB)) {
    if (tree.KiB <= 0) continue;
    const stock = stocks.get(tree.server);
    if (stock) stock.push(tree);
    else stocks.set(tree.server, [tree]);
  }
  return stocks;
}

function fullest(bins: readonly Bin[]): Bin | undefined {
  return bins.toSorted((one, other) => fill(other) - fill(one))[0];
}

function fill({ usedKiB, totalKiB }: Bin): number {
  return usedKiB / totalKiB;
}

interface Rules<Tree> {
  high: number;
  may: (tree: Tree, server: string) => boolean;
}

/** One tree that is just a little too large is better than many. */
const overshoot = 1.1;

/** So many trees are tried for one destination: others are as large, and most may go wherever one may. */
const tries = 20;

/** The largest tree that the source has too much of and a destination still lacks; else the smallest that makes it better. */
function nextShift<Tree extends Weight>(source: Bin, bins: readonly Bin[], stock: readonly Tree[], rules: Rules<Tree>) {
  const others = bins
    .filter((bin) => bin !== source && bin.takes && bin.roomKiB > 0)
    .sort((one, other) => fill(one) - fill(other));
  const excess = source.usedKiB - rules.high * source.totalKiB;
  for (const to of others) {
    if (fill(to) >= fill(source)) break;
    const lack = rules.high * to.totalKiB - to.usedKiB;
    const most = Math.min(excess, lack, to.roomKiB);
    const end = firstAbove(stock, most);
    const below = Array.from({ length: Math.min(tries, end) }, (_, step) => end - 1 - step);
    const above = Array.from({ length: Math.min(tries, stock.length - end) }, (_, step) => end + step);
    const isEnough = (stock[end]?.KiB ?? Infinity) <= overshoot * most;
    for (const at of excess > 0 ? (isEnough ? [...above, ...below] : [...below, ...above]) : []) {
      const tree = stock[at];
      if (tree && betters(tree, source, to) && rules.may(tree, to.name)) return { tree, at, to };
    }
  }
  return undefined;
}

/** The place of the first tree that is larger. */
function firstAbove(stock: readonly Weight[], KiB: number): number {
  let [from, to] = [0, stock.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((stock[middle]?.KiB ?? 0) <= KiB) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Whether both are between what the two were before: neither the fullest gets fuller nor the emptiest emptier. */
function betters({ KiB }: Weight, source: Bin, to: Bin): boolean {
  if (KiB > to.roomKiB) return false;
  return (to.usedKiB + KiB) / to.totalKiB <= fill(source) && (source.usedKiB - KiB) / source.totalKiB >= fill(to);
}
