// The kinds of value that keys have: counts, seconds, words, switches, secrets.
import { z } from 'zod';
import { hostAddress } from '../listening/host-address.ts';
import { key } from './key.ts';

interface Told<T> {
  doc: string;
  default: T;
  example?: T;
}

/** A whole number within bounds, in the unit that is named. */
export function count(facts: Told<number> & { min: number; max: number; unit?: string }) {
  const expects = `a whole number${facts.unit === undefined ? '' : ` of ${facts.unit}`} from ${facts.min} to ${facts.max}`;
  const schema = z.int().min(facts.min).max(facts.max).default(facts.default);
  return key(schema, { doc: facts.doc, expects, example: facts.example ?? facts.default });
}

/** A duration in seconds; a fraction is fine. A day at most: longer is a mistake of units. */
export function seconds(facts: Told<number>) {
  const schema = z.number().positive().max(86_400).default(facts.default);
  return key(schema, {
    doc: facts.doc,
    expects: 'a number of seconds, above 0 and at most 86400',
    example: facts.example ?? facts.default,
  });
}

/** One of some words. */
export function choice<const T extends string>(words: readonly [T, ...T[]], facts: Told<T>) {
  const expects = `one of ${words.join(', ')}`;
  return key(z.enum(words).default(facts.default as z.core.util.NoUndefined<T>), {
    doc: facts.doc,
    expects,
    example: facts.example ?? facts.default,
  });
}

const on = [true, 1, 'on', 'yes', 'true', 'ON', 'Yes', 'On'] as const;
const off = [false, 0, 'off', 'no', 'false', 'OFF', 'No', 'Off'] as const;

/** A switch, in any of the spellings that Cyrus takes. */
export function flag(facts: Told<boolean>) {
  const schema = z.literal([...on, ...off]).transform((word) => (on as readonly unknown[]).includes(word));
  return key(schema.default(facts.default), {
    doc: facts.doc,
    expects: 'true or false (also on, off, yes, no, 1, 0)',
    example: facts.example ?? facts.default,
  });
}

/** Text on one line, without control characters. */
export const line = z.string().regex(/^[^\x00-\x1f\x7f]*$/);

/** Text that must not be empty. */
export const word = line.min(1);

/** A name of a server, a domain or an address of one: nothing that could end a word in a protocol, and no `!`. */
export const hostName = z.string().regex(/^[A-Za-z0-9_.:[\]-]{1,255}$/);

/** A name of a partition, as Cyrus has it in the names of its options (`partition-NAME`). */
export const partitionName = z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/);

/** An IPv4 or IPv6 address, from then on in the one spelling by which two can be compared. */
export const ipAddress = z
  .string()
  .refine((text) => hostAddress(text) !== undefined)
  .transform((text) => hostAddress(text) ?? text);
