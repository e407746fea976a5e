// An entry of the directory as it is told to programs.
import { z } from 'zod';
import { bytesFromText, partitionOf, serverOf, textFromBytes } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { time, timeText } from './time-text.ts';

/** A name that is not UTF-8 stands beside its text in base64, so that nothing is lost. */
export const nameFields = {
  name: z.string().meta({ description: 'The mailbox name, as user.jdoe.' }),
  name_base64: z
    .string()
    .optional()
    .meta({ description: 'The bytes of a name that is not UTF-8, in base64; left out where it is.' }),
};

export const rowFields = {
  server: z.string().meta({ description: 'The server that holds the mailbox.' }),
  partition: z.string(),
  acl: z.string().meta({ description: 'Pairs of identifier and rights, a tab behind each.' }),
  version: z.int().meta({ description: 'The number of the change that made the row what it is.' }),
};

/** What only rows that are not active remember. */
export const pendingFields = {
  session: z.string().optional().meta({ description: 'The session that made the row what it is.' }),
  since: time.optional(),
  session_ended: time.optional(),
  released: z.boolean().optional().meta({ description: 'Its holder says that it does not have it any more.' }),
  unbound: z.boolean().optional().meta({ description: 'Deleted by a session that spoke for no server.' }),
};

export const states = ['active', 'created', 'handed', 'contested', 'tombstone'] as const;

export const entryValue = z
  .object({ ...nameFields, state: z.enum(states), ...rowFields, ...pendingFields })
  .meta({ id: 'Entry', description: 'A row of the directory.' });

export type EntryValue = z.output<typeof entryValue>;

export function nameValue(bytes: Bytes): { name: string; name_base64?: string } {
  const name = textFromBytes(bytes);
  if (bytesFromText(name) === bytes) return { name };
  return { name, name_base64: Buffer.from(bytes, 'latin1').toString('base64') };
}

/** The bytes of a name that was told so. */
export function nameBytes({ name, name_base64 }: { name: string; name_base64?: string | undefined }): Bytes {
  return name_base64 === undefined ? bytesFromText(name) : Buffer.from(name_base64, 'base64').toString('latin1');
}

export function entryValueOf(entry: Entry): EntryValue {
  return {
    ...nameValue(entry.name),
    state: entry.state,
    server: textFromBytes(serverOf(entry.location)),
    partition: textFromBytes(partitionOf(entry.location)),
    acl: textFromBytes(entry.acl),
    version: entry.version,
    ...(entry.session !== undefined && { session: entry.session }),
    ...(entry.since !== undefined && { since: timeText(entry.since) }),
    ...(entry.ended !== undefined && { session_ended: timeText(entry.ended) }),
    ...(entry.released === true && { released: true }),
    ...(entry.unbound === true && { unbound: true }),
  };
}
