// When a miss may be believed: proof of absence, from facts.
import type { Bytes } from './entry.ts';
import type { Lookup, Standing } from './directory.ts';

/** Three answers, and no fourth: what every caller that must act on a miss asks for. */
export type Finding =
  { found: true } | { found: false; proven: true } | { found: false; proven: false; reason: string };

/** Servers that have not pushed their list since the epoch began, out of those that must; none when vouched for. */
export function unheard(standing: Standing, required: readonly Bytes[]): Bytes[] {
  if (standing.vouched) return [];
  return required.filter((server) => !standing.heard.includes(server));
}

/** Why absence from a directory of this standing proves nothing; undefined when it is trusted. */
export function distrust(standing: Standing, required: readonly Bytes[]): string | undefined {
  if (standing.epoch < 1) return 'it has lost its data';
  const silent = unheard(standing, required);
  if (silent.length > 0) return `not heard from ${silent.join(', ')}`;
  // Rows of backends that push nothing are written by others: none at all were lost, or not written yet.
  if (required.length === 0 && standing.blank && !standing.vouched) return 'nothing was ever written to it';
  return undefined;
}

/**
 * Whether absence of all the names of a lookup is proven: the read reached the primary (a Lookup is made by nothing
 * else), no row of any state concerns a name, and the directory of that instant is trusted, having heard from every
 * server in `required`.
 */
export function finding(lookup: Lookup, required: readonly Bytes[]): Finding {
  if (lookup.entries.some((entry) => entry !== undefined)) return { found: true };
  const doubt = distrust(lookup.standing, required);
  if (doubt === undefined) return { found: false, proven: true };
  return { found: false, proven: false, reason: `directory not trusted: ${doubt}` };
}
