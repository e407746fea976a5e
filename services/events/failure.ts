// Why a look at what a job names goes wrong: the kinds of failure, and what a job keeps of them.
import { z } from 'zod';
import { causesOf, saysAway } from '../redis/away.ts';

/**
 * What a processor's error may be:
 * - away: somebody who is needed does not answer. It may last; asking often helps nobody.
 * - busy: what is needed is locked or in use by somebody who will be done soon.
 * - refused: the answer is no, and will be no. Trying again is pointless.
 * - fault: anything else; most likely a fault of this program.
 */
export const errorKinds = ['away', 'busy', 'refused', 'fault'] as const;
export type ErrorKind = (typeof errorKinds)[number];

/**
 * And what becomes of a job without its processor:
 * - unfit: it can't be read.
 * - newer: it waits for a program that can read it.
 * - lost: again and again its worker has died under it.
 */
export const failureKinds = [...errorKinds, 'unfit', 'newer', 'lost'] as const;
export type FailureKind = (typeof failureKinds)[number];

/** An error of a kind. Errors of other rooms may have the property `kind` as well. */
export class JobFailure extends Error {
  override readonly name = 'JobFailure';
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The kind of an error: what it or one of its causes says of itself; a fault when none says anything. */
export function kindOf(error: unknown): ErrorKind {
  for (const one of causesOf(error)) {
    const { kind } = one as { kind?: unknown };
    const said = errorKinds.find((known) => known === kind);
    if (said) return said;
    if (saysAway(one)) return 'away';
  }
  return 'fault';
}

/** What a job keeps of its failures, until it is done or tried again by hand. */
export const failuresSchema = z.object({
  /** The last one's. */
  kind: z.enum(failureKinds),
  /** How many there were of each kind. */
  counts: z.partialRecord(z.enum(failureKinds), z.int().min(1)),
  /** When the first one was, in milliseconds since 1970. */
  first: z.number(),
});
export type Failures = z.output<typeof failuresSchema>;

/** One failure more. */
export function oneMore(past: Failures | undefined, kind: FailureKind, now: number): Failures {
  const counts = { ...past?.counts, [kind]: (past?.counts[kind] ?? 0) + 1 };
  return { kind, counts, first: past?.first ?? now };
}
