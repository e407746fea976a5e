// When a miss may be believed: proof of absence, from facts (rules.md section 4).
import { readable } from '../address/bytes.ts';
import type { Bytes } from './entry.ts';
import type { Lookup, Standing } from './directory.ts';

/** Three answers, and no fourth: what every caller that must act on a miss asks for. */
export type Finding =
  { found: true } | { found: false; proven: true } | { found: false; proven: false; reason: string };

/** The servers that could hold a mailbox which the directory does not have. */
export interface Witnesses {
  /** Those that tell their list by a push; until they have, there may be mailboxes that nobody has told of. */
  pushing: readonly Bytes[];
  /** Those that tell nothing: their rows are written by others, and nobody can write them again after a loss. */
  silent: readonly Bytes[];
}

/** Servers that have not pushed their list since the epoch began, out of those that must; none when vouched for. */
export function unheard(standing: Standing, { pushing }: Witnesses): Bytes[] {
  if (standing.vouched) return [];
  return pushing.filter((server) => !standing.heard.includes(server));
}

/** Why absence from a directory of this standing proves nothing; undefined when it is trusted. */
export function distrust(standing: Standing, witnesses: Witnesses): string | undefined {
  const { doubt, epoch, lost, vouched, blank } = standing;
  if (doubt !== undefined) return doubt;
  if (epoch < 1) return 'it has lost its data';
  if (vouched) return undefined;
  const { pushing, silent } = witnesses;
  const because = lost === undefined ? '' : `data were lost (${lost}), `;
  const missing = unheard(standing, witnesses);
  if (missing.length > 0) return `${because}not heard from ${missing.map(readable).join(', ')}`;
  if (lost !== undefined && silent.length > 0)
    return `${because}and ${silent.map(readable).join(', ')} can't tell again (mupdate: false)`;
  // Rows of backends that push nothing are written by others: none at all were lost, or not written yet.
  return pushing.length === 0 && blank ? 'nothing was ever written to it' : undefined;
}

/** The reason where all else would prove absence. */
export const firstMessage = 'a first message makes it';

/** How old a proof may be when it is told, in milliseconds (rules.md section 4, condition 7). */
export const longestProof = 5000;

/** All that is known when a miss is to be believed or not. Times are in milliseconds since 1970, of one clock. */
export interface Facts {
  /** The names by any of which the mailbox could be there: each needs its own proof. */
  names: readonly Bytes[];
  /** What was read about them; undefined where the directory could not be asked. */
  lookup: Lookup | undefined;
  witnesses: Witnesses;
  /** When the question came: the read must have begun after it. */
  asked: number;
  now: number;
  /** Whether a first message would make the mailbox. */
  autocreate: boolean;
}

/**
 * What a lookup is worth. A row of any state is found, a tombstone included: it concerns the name. Absence is proven only
 * where everything holds that rules.md section 4 asks for on one Redis.
 */
export function finding(facts: Facts): Finding {
  const { lookup } = facts;
  if (lookup?.entries.some((entry) => entry !== undefined)) return { found: true };
  const reason = lookup ? unprovenBy(lookup, facts) : 'the directory could not be asked';
  return reason === undefined ? { found: false, proven: true } : { found: false, proven: false, reason };
}

/**
 * Why a refusal may not be told that rests on a row, as one for want of a right does; undefined when it may. The same is
 * asked of it as of absence: the row may be an old one where the directory is not trusted.
 */
export function whyNotForGood(lookup: Lookup, facts: Omit<Facts, 'lookup' | 'autocreate'>): string | undefined {
  return unprovenBy(lookup, { ...facts, lookup, autocreate: false });
}

function unprovenBy(lookup: Lookup, { names, witnesses, asked, now, autocreate }: Facts): string | undefined {
  const doubt = distrust(lookup.standing, witnesses);
  if (doubt !== undefined) return `directory not trusted: ${doubt}`;
  const concern = lookup.concerns.find((one) => one !== undefined);
  if (concern) return concern.kind === 'lease' ? concern.text : `reconciliation is open: ${concern.text}`;
  if (names.length === 0 || lookup.entries.length !== names.length) return 'not every name was looked up';
  if (lookup.begun < asked) return 'it was read before the question came';
  // A clock that was set back makes ages negative.
  const age = now - lookup.begun;
  if (age < 0 || age > longestProof) return `the proof is ${age} ms old`;
  return autocreate ? firstMessage : undefined;
}
