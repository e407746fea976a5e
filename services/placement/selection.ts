// How one of several servers, or partitions, is selected by its free space: the modes and rules of Cyrus' partlist.c.

/** Cyrus' names, of `serverlist_select_mode` and `partition_select_mode`. */
export const modes = [
  'random',
  'freespace-most',
  'freespace-percent-most',
  'freespace-percent-weighted',
  'freespace-percent-weighted-delta',
] as const;
export type Mode = (typeof modes)[number];

export interface Rule {
  mode: Mode;
  /** Percent in use from which a candidate is passed over, unless all are: `*_select_soft_usage_limit`. 0: no limit. */
  softUsageLimit: number;
}

/** What can be selected. */
export interface Candidate {
  name: string;
  /** Candidates on one filesystem have the same space, which counts once where the most space is sought. */
  filesystem?: string | undefined;
  availableKiB: number;
  totalKiB: number;
  /** The candidate counts as one with so many times its free space; 1 with Cyrus, always above 0. */
  weight: number;
}

export interface Weighed {
  /** Free space in percent; undefined where the figures are impossible. */
  percent: number | undefined;
  /** The chance to be selected, in percent. */
  share: number;
  /** Why it cannot be selected; a phrase. */
  out?: string;
}

export interface Weighing {
  each: Weighed[];
  /** Cyrus' way out where any figures are impossible: every candidate then has the same chance, these included. */
  forced: boolean;
}

/** What keeps the most used candidate from starving in the mode `freespace-percent-weighted-delta`, in percent (partlist.c). */
const deltaFloor = 0.5;

/** Free space in percent; undefined for figures that cannot be: no space at all, or more of it free than there is. */
export function percentFree({ availableKiB, totalKiB }: Pick<Candidate, 'availableKiB' | 'totalKiB'>) {
  const percent = totalKiB > 0 ? (availableKiB * 100) / totalKiB : -1;
  return percent >= 0 && percent <= 100 ? percent : undefined;
}

/** Whether the mode draws by lot, so that a selection needs chance. */
export function draws(mode: Mode): boolean {
  return mode !== 'freespace-most' && mode !== 'freespace-percent-most';
}

/** The chance of each candidate, in their order. Their figures should be possible; what happens else is Cyrus' doing. */
export function weigh(candidates: readonly Candidate[], rule: Rule): Weighing {
  const percents = candidates.map(percentFree);
  if (rule.mode === 'random') return { each: evenly(candidates, percents), forced: false };
  const twins = candidates.map((one, at) =>
    draws(rule.mode) ? undefined : candidates.slice(0, at).find((other) => sameFilesystem(one, other)),
  );
  if (percents.some((percent, at) => percent === undefined && !twins[at])) {
    return { each: evenly(candidates, percents), forced: true };
  }
  const known = percents.map((percent = 0) => percent);
  const threshold = 100 - rule.softUsageLimit;
  const firsts = known.filter((_, at) => !twins[at]);
  const above = firsts.filter((percent) => percent > threshold);
  // Where all of them are over the limit it does not hold.
  const limited = above.length > 0;
  const least = Math.min(100, ...(limited ? above : firsts));
  const weights = known.map((percent, at) => {
    if (twins[at] || (limited && percent <= threshold)) return 0;
    return rule.mode === 'freespace-percent-weighted-delta' ? percent - least + deltaFloor : percent;
  });
  const shares = sharesOf(candidates, weights, rule.mode);
  const each = known.map((percent, at) => {
    const twin = twins[at];
    let out;
    if (twin) out = `on the filesystem of ${twin.name}`;
    else if (limited && percent <= threshold) out = `in use to the soft limit of ${rule.softUsageLimit}% or above`;
    else if (weights[at] === 0) out = 'no free space';
    return { percent, share: shares[at] ?? 0, ...(out !== undefined && { out }) };
  });
  return { each, forced: false };
}

function sameFilesystem(one: Candidate, other: Candidate): boolean {
  return one.filesystem !== undefined && one.filesystem === other.filesystem;
}

function evenly(candidates: readonly Candidate[], percents: readonly (number | undefined)[]): Weighed[] {
  const shares = normalised(candidates.map(({ weight }) => weight));
  return percents.map((percent, at) => ({ percent, share: shares[at] ?? 0 }));
}

/** The chances that Cyrus' weights (percents, or above the least of them) give; all of it to the first of the best where that is sought. */
function sharesOf(candidates: readonly Candidate[], weights: readonly number[], mode: Mode): number[] {
  const scaled = candidates.map(({ availableKiB, weight }, at) => {
    const own = weights[at] ?? 0;
    return own === 0 ? 0 : weight * (mode === 'freespace-most' ? availableKiB : own);
  });
  if (draws(mode)) return normalised(scaled);
  const best = scaled.indexOf(Math.max(0, ...scaled));
  return scaled.map((value, at) => (at === best && value > 0 ? 100 : 0));
}

function normalised(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (sum === 0 ? 0 : (weight * 100) / sum));
}

/** Which candidate a point from 0 to below 100 falls on; undefined where none has any chance. */
export function landing(shares: readonly number[], point: number): number | undefined {
  let sum = 0;
  const hit = shares.findIndex((share) => point < (sum += share));
  // The shares of many may add up to a hair less than 100.
  const at = hit === -1 ? shares.findLastIndex((share) => share > 0) : hit;
  return at === -1 ? undefined : at;
}
