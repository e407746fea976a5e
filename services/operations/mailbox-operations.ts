// What an operator asks about mailboxes: which there are, where one is, all that is known of one.
import { z } from 'zod';
import type { Bytes } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Entry } from '../directory/entry.ts';
import { finding } from '../directory/freshness.ts';
import { caseValue, caseValueOf } from './case-value.ts';
import { changeValue, changeValueOf } from './change-value.ts';
import { entryValue, entryValueOf, nameFields, nameValue, pendingFields, rowFields, states } from './entry-value.ts';
import type { EntryValue } from './entry-value.ts';
import { sortKey } from '../directory/order.ts';
import { claimMailboxes } from './mailbox-claim.ts';
import type { ClaimMeans, ClaimOrder, ClaimValue } from './mailbox-claim.ts';

/** What there is in place of a row. */
export const absenceValue = z
  .object({
    proven: z.boolean().meta({ description: 'Whether it is certain that there is no such mailbox.' }),
    doubt: z.string().optional().meta({ description: 'Why that is not certain.' }),
  })
  .meta({ id: 'Absence', description: 'What it means that there is no row.' });

export type AbsenceValue = z.output<typeof absenceValue>;

export const knownValue = z
  .object({
    ...nameFields,
    state: z.enum([...states, 'absent']),
    ...z.object(rowFields).partial().shape,
    ...pendingFields,
    absence: absenceValue.optional(),
    case: caseValue.optional(),
    waiting: z.string().optional().meta({ description: 'What the open case waits for, or why it is open.' }),
    history: z.array(changeValue).meta({ description: 'The newest changes, the newest first.' }),
    tree: z.array(entryValue).meta({ description: 'The rows of the whole tree.' }),
  })
  .meta({ id: 'Mailbox', description: 'All that is known of a name, whether or not it has a row.' });

export const mailboxesAnswer = z.object({
  mailboxes: z.array(entryValue),
  next: z.string().optional().meta({ description: 'The `after` of the next page; left out at the end of the list.' }),
});

export type KnownValue = z.output<typeof knownValue>;

/** The row of what is known, where there is one. */
export function rowOf(known: KnownValue): EntryValue | undefined {
  const { state, server = '', partition = '', acl = '', version = 0 } = known;
  return state === 'absent' ? undefined : { ...known, state, server, partition, acl, version };
}

export interface MailboxQuery {
  /** The wildcards of IMAP's LIST. */
  pattern: Bytes;
  server?: Bytes | undefined;
  /** Only those that come after this name, and at most so many: a page of the list. */
  after?: Bytes | undefined;
  limit?: number | undefined;
}

/** All reject with a Refusal. */
export interface MailboxOperations {
  /** In Cyrus' order of names. */
  list(query: MailboxQuery): Promise<EntryValue[]>;
  /** The row alone. */
  find(name: Bytes): Promise<EntryValue | AbsenceValue>;
  show(name: Bytes): Promise<KnownValue>;
  /** Refused where one of the servers is none of the backends. */
  claim(order: ClaimOrder): Promise<ClaimValue[]>;
}

/** How many changes of a name are shown. */
const changesShown = 20;

export function mailboxOperations(means: ClaimMeans): MailboxOperations {
  const { directory, registry } = means;
  const find = (name: Bytes) => findRow(directory, name, registry);
  return {
    find,
    async list({ pattern, server, after, limit }) {
      const matches = mailboxPattern(pattern);
      const key = after === undefined ? undefined : sortKey(after);
      const rows = await rowsOn(directory, server);
      const wanted = rows.filter(({ name }) => (key === undefined || sortKey(name) > key) && matches(name));
      return wanted.slice(0, limit).map(entryValueOf);
    },
    async show(name) {
      const [found, open, history, tree] = await Promise.all([
        ...[find(name), directory.case(name), directory.history(name, changesShown), directory.tree(name)],
      ] as const);
      return {
        ...('proven' in found ? { ...nameValue(name), state: 'absent', absence: found } : found),
        ...(open && { case: caseValueOf(open), waiting: open.waiting ?? open.reason }),
        history: history.map(changeValueOf),
        tree: tree.map(entryValueOf),
      };
    },
    claim: (order) => claimMailboxes(order, means),
  };
}

async function rowsOn(directory: Directory, server: Bytes | undefined): Promise<Entry[]> {
  if (server === undefined) return (await directory.snapshot()).entries;
  const rows = await directory.list(server);
  return rows.filter((row) => serverOf(row.location) === server);
}

async function findRow(directory: Directory, name: Bytes, registry: Registry): Promise<EntryValue | AbsenceValue> {
  const begun = Date.now();
  const lookup = await directory.lookup([name]);
  const [entry] = lookup.entries;
  if (entry) return entryValueOf(entry);
  const facts = { names: [name], lookup, witnesses: registry.witnesses(), asked: begun, now: Date.now() };
  const found = finding({ ...facts, autocreate: false });
  return found.found || found.proven ? { proven: true } : { proven: false, doubt: found.reason };
}
