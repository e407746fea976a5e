// What an operator wants of placement: the rules for servers and for partitions, and what holds for each backend.
import type { Rule } from './selection.ts';

/** A rule, and after how many selections the figures are to be read anew; 0: not by their number. */
export interface Selecting extends Rule {
  usageReinit: number;
}

export interface BackendPolicy {
  /** The backend counts as one with so many times its free space; 0: it gets nobody. */
  weight: number;
  zone?: string | undefined;
  tags: readonly string[];
  /** It gets nobody when it has so many users. */
  maximumUsers?: number | undefined;
  /** Takes no new users. */
  drain: boolean;
  /** Likewise, for another reason; a phrase. */
  rests?: string | undefined;
  /** It gets nobody at all, named or not; a phrase. */
  shut?: string | undefined;
  /** A canary: it gets so many of 100 new users, always the same ones, and before all others. */
  canary?: number | undefined;
  /** Partitions that are not selected. */
  exclude: readonly string[];
}

export interface Policy {
  servers: Selecting & {
    /** The servers to select from. Undefined: all backends. */
    list?: readonly string[] | undefined;
  };
  partitions: Selecting;
  /** The space that each new user is expected to take before the figures show it, in KiB. */
  promisedKiB: number;
  /** How long that counts, in milliseconds. */
  promiseLifetime: number;
  /** How often a placement is decided anew because others were decided meanwhile. */
  promiseAttempts: number;
  /** Figures older than that, in milliseconds, say nothing. */
  figuresMaxAge: number;
  backends: ReadonlyMap<string, BackendPolicy>;
}
