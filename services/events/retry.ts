// When a failed attempt is followed by another: decided by the kind of failure, and by how many of that kind there were.
import type { FailureKind, Failures } from './failure.ts';

export interface Retry {
  /** How many failures of this kind a job may have; the last one makes it a dead letter. */
  attempts: number;
  /** The pause after the first one, in milliseconds; doubled for each one after it. */
  pause: number;
  /** The longest pause, in milliseconds: as long as `pause` for a pause that does not grow. */
  longest: number;
}

export interface Retries {
  away: Retry;
  busy: Retry;
  fault: Retry;
  /**
   * How long a job of a newer version is kept for newer workers, in milliseconds from when the first older one saw it.
   * Bounded by time and not by attempts: it is the rollout that is waited for, however many old workers look meanwhile.
   */
  newer: { pause: number; atMost: number };
}

/**
 * A quarter of a pause is left to chance: what failed together must not come back together. (The same quarter is taken
 * off, so that no pause is longer than was promised.)
 */
const jitter = 0.25;

/**
 * The pause before the next attempt, in milliseconds; undefined when there is none, and the job is a dead letter.
 * `failures` includes the failure that has just been; `chance` is from 0 to 1.
 */
export function nextPause(
  failures: Failures,
  retries: Retries,
  { now, chance, longestPause = Infinity }: { now: number; chance: number; longestPause?: number | undefined },
): number | undefined {
  const pause = steadyPause(failures, retries, now);
  return pause === undefined ? undefined : Math.round(Math.min(pause, longestPause) * (1 - jitter * chance));
}

function steadyPause({ kind, counts, first }: Failures, retries: Retries, now: number): number | undefined {
  if (kind === 'newer') return now - first < retries.newer.atMost ? retries.newer.pause : undefined;
  if (!isRepeated(kind)) return undefined;
  const { attempts, pause, longest } = retries[kind];
  const count = counts[kind] ?? 1;
  return count < attempts ? Math.min(pause * 2 ** (count - 1), longest) : undefined;
}

function isRepeated(kind: FailureKind): kind is 'away' | 'busy' | 'fault' {
  return kind === 'away' || kind === 'busy' || kind === 'fault';
}
