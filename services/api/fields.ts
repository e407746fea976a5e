// Fields that several requests have.
import { z } from 'zod';
import { queueName, queueWords } from '../events/queues.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { mostAtATime, mostBytesPerSecond } from '../moves/run.ts';
import { field } from './validation.ts';

/** A list's length, written in digits in a query. */
export function limitField(most: number, usual: number) {
  const number = z
    .string()
    .regex(/^[1-9]\d{0,5}$/)
    .transform(Number)
    .pipe(z.int().max(most));
  return field(number.default(usual), 'How many at most.', `a whole number from 1 to ${most}`);
}

export const queueField = field(queueName, 'The queue.', `one of ${queueWords}`);

export const jobField = field(
  z.string().regex(/^[^\x00-\x20]{1,128}$/),
  'The id of the job.',
  'an id as the jobs have it',
);

/** Longer than any name: Cyrus takes 490 bytes (MAX_MAILBOX_NAME). */
const longestName = 1024;

export function nameField(doc: string, expects = 'a mailbox name, as user.jdoe') {
  // Half a character, as JSON may carry it, is no text: as bytes it would be another name.
  const name = z
    .string()
    .min(1)
    .max(longestName)
    .refine((text) => !/\p{Surrogate}/u.test(text));
  return field(name, doc, expects);
}

/** A user, by whatever he is called. */
export function userField(doc: string) {
  return nameField(doc, 'a login, an address or the name of an INBOX: jdoe, jdoe@example.org, user.jdoe');
}

/** A time in a query or a body. */
export function timeField(doc: string) {
  return field(z.iso.datetime().optional(), doc, 'a time, ISO 8601 in UTC');
}

/** A number in a query: digits. */
export function numberField(least: number, most: number, doc: string) {
  const number = z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.int().min(least).max(most));
  return field(number, doc, `a whole number from ${least} to ${most}`);
}

/** How a name is written: it is made of bytes, and an URL takes text. */
export const encodingField = field(
  z.enum(['text', 'base64url']).default('text'),
  'How the name is written: base64url is for one that is not UTF-8.',
  'text or base64url',
);

export function bytesOf(name: string, encoding: 'text' | 'base64url'): Bytes {
  return encoding === 'text' ? bytesFromText(name) : Buffer.from(name, 'base64url').toString('latin1');
}

/** A name in a body; one that is no text is written as bytes. */
export function anyNameField(doc: string, expects?: string) {
  return z.union([
    nameField(doc, expects),
    z.strictObject({
      base64url: z
        .string()
        .min(1)
        .max(2000)
        .regex(/^[A-Za-z0-9_-]+$/),
    }),
  ]);
}

export function bytesOfAny(name: string | { base64url: string }): Bytes {
  return typeof name === 'string' ? bytesOf(name, 'text') : bytesOf(name.base64url, 'base64url');
}

/** Limits of moves in a body. */
export const limitFields = {
  atATime: (doc: string) =>
    field(z.int().min(1).max(mostAtATime).optional(), doc, `a whole number from 1 to ${mostAtATime}`),
  bytesPerSecond: field(
    z.int().min(0).max(mostBytesPerSecond).optional(),
    'How much in a second, all together; 0: no limit.',
    `a whole number from 0 to ${mostBytesPerSecond}`,
  ),
};
