// Which moves may begin now: of those that wait, in their order, as many as the limits leave room for beside what is under way.
import type { Place } from './move.ts';
import type { Limits } from './run.ts';

/** A move as far as limits are concerned. */
export interface Paced {
  from: Place;
  to: Place;
  octets: number;
}

/**
 * What octets a second leave: a bucket that holds a second's worth and may go below empty, for a tree can't be moved by
 * halves. `owed`: the octets that had begun and not yet flowed at a moment, in milliseconds since 1970.
 */
export interface Bucket {
  owed: number;
  at: number;
}

/** How many moves are under way: in all, and of each server and partition. */
export class Load {
  #total = 0;
  readonly #sources = new Map<string, number>();
  readonly #destinations = new Map<string, number>();
  readonly #partitions = new Map<string, number>();

  constructor(active: Iterable<Pick<Paced, 'from' | 'to'>> = []) {
    for (const one of active) this.add(one);
  }

  get total(): number {
    return this.#total;
  }

  add({ from, to }: Pick<Paced, 'from' | 'to'>): void {
    this.#total += 1;
    increase(this.#sources, from.server);
    increase(this.#destinations, to.server);
    for (const one of partitionsOf(from, to)) increase(this.#partitions, one);
  }

  /** How many more such moves the limits allow. */
  room({ from, to }: Pick<Paced, 'from' | 'to'>, limits: Limits): number {
    const partitions = partitionsOf(from, to).map((one) => limits.perPartition - (this.#partitions.get(one) ?? 0));
    return Math.max(
      0,
      Math.min(
        limits.total - this.#total,
        limits.perSource - (this.#sources.get(from.server) ?? 0),
        limits.perDestination - (this.#destinations.get(to.server) ?? 0),
        ...partitions,
      ),
    );
  }
}

/** Both ends; once where it is one partition of one server. */
function partitionsOf(from: Place, to: Place): string[] {
  return [...new Set([from, to].map(({ server, partition }) => `${server}!${partition}`))];
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/**
 * The moves that may begin, in their order, and the bucket after them. One that finds no room lets others by; where octets
 * are owed all wait.
 */
export function mayBegin<M extends Paced>(
  waiting: Iterable<M>,
  active: Iterable<Pick<Paced, 'from' | 'to'>>,
  limits: Limits,
  bucket: Bucket,
  now: number,
): { begin: M[]; bucket: Bucket } {
  const load = new Load(active);
  const begin: M[] = [];
  const rate = limits.bytesPerSecond;
  let owed = rate === 0 ? 0 : owedAt(now, bucket, rate);
  for (const move of waiting) {
    if (load.total >= limits.total || (rate > 0 && owed >= rate)) break;
    if (load.room(move, limits) === 0) continue;
    load.add(move);
    begin.push(move);
    owed += move.octets;
  }
  // Runs without such a limit take nothing from those that have one.
  return { begin, bucket: rate === 0 ? bucket : { owed, at: Math.max(now, bucket.at) } };
}

/** A clock that was set back makes nothing flow. */
function owedAt(now: number, { owed, at }: Bucket, rate: number): number {
  return Math.max(0, owed - (Math.max(0, now - at) * rate) / 1000);
}
