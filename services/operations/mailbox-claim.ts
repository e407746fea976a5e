// The operator's word on which server mailboxes are at, where the directory may not decide by itself.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Case } from '../directory/case.ts';
import type { Directory } from '../directory/directory.ts';
import { mergedLocation, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { isUnderWay } from '../directory/settling.ts';
import { Refusal } from './refusal.ts';

export const claimValue = z
  .object({ name: z.string(), result: z.enum(['claimed', 'would claim', 'left']), note: z.string() })
  .meta({ id: 'Claim', description: 'What was done about one name, or why nothing was.' });

export const claimsAnswer = z.object({ claims: z.array(claimValue) });

export type ClaimValue = z.output<typeof claimValue>;

export interface ClaimOrder {
  /** The wildcards of IMAP's LIST. */
  pattern: Bytes;
  /** The server that the directory places them on, and the one that is to have them. */
  from: Bytes;
  to: Bytes;
  /** Also those of which nobody knows that the other server holds them. */
  unseen: boolean;
  /** Nothing is done. */
  dryRun: boolean;
  /** Who says so, for the change log. Over the API it is the token's name. */
  by: string;
}

export interface ClaimMeans {
  directory: Directory;
  registry: Registry;
  /** How long a backend may take for each answer, in milliseconds. */
  imapTimeout: number;
  /** Has the workers look into a name at once. */
  ring: (name: Bytes) => void;
}

interface Claiming extends ClaimOrder, ClaimMeans {
  admins: ImapAdmins;
}

/** Names in question: rows of the one server, and what was deleted there and the other one still holds. */
async function candidates({ directory, pattern, from, to }: Claiming): Promise<Bytes[]> {
  const matches = mailboxPattern(pattern);
  const [rows, cases] = await Promise.all([directory.list(`${from}!`), directory.cases()]);
  const held = rows.filter((row) => row.version > 0).map(({ name }) => name);
  const copies = cases.filter(({ rivals }) => rivals.some(({ server }) => server === to)).map(({ name }) => name);
  return [...new Set([...held, ...copies])].filter(matches).sort();
}

/** Where the server says the mailbox is; undefined when nobody knows that it holds it. */
async function evidence(
  name: Bytes,
  row: Entry | undefined,
  open: Case | undefined,
  { admins, to, unseen }: Claiming,
): Promise<{ at: { location: Bytes; acl: Bytes }; note: string } | undefined> {
  const rival = open?.rivals.find(({ server }) => server === to);
  if (rival) return { at: rival, note: 'it has said so in a push' };
  // The partition comes with its next push, or with MUPDATEPUSH.
  const at = { location: mergedLocation(row?.location ?? '', `${to}!`), acl: row?.acl ?? '' };
  const has = await admins.ask(to, (admin) => admin.holds(name)).catch(() => undefined);
  if (has === 'has') return { at, note: 'it says so by IMAP' };
  return unseen ? { at, note: 'unseen' } : undefined;
}

async function claim(name: Bytes, claiming: Claiming): Promise<ClaimValue> {
  const { directory, from, to, dryRun, by, ring } = claiming;
  const told = (result: ClaimValue['result'], note: string): ClaimValue => ({ name: readable(name), result, note });
  const [[row], open] = [(await directory.lookup([name])).entries, await directory.case(name)];
  if (row && serverOf(row.location) !== from) return told('left', `it is at ${readable(serverOf(row.location))}`);
  if (row?.state === 'tombstone') return told('left', 'it is being deleted');
  if (row && isUnderWay(row)) return told('left', `a session is at work on it: ${row.session ?? ''}`);
  const proof = await evidence(name, row, open, claiming);
  if (!proof) return told('left', `nobody knows that ${readable(to)} holds it: see --unseen`);
  if (dryRun) return told('would claim', proof.note);
  const session = `claim-${process.pid}`;
  const known = { name, expected: row, rung: open?.rung } as const;
  const resolution = { ...known, action: 'claim', forget: [], at: proof.at, session, by } as const;
  if (!(await directory.resolve(resolution))) return told('left', 'it changed meanwhile: claim it again');
  // Other copies may be left, of which the claim says nothing.
  if (await directory.case(name)) ring(name);
  return told('claimed', proof.note);
}

function refuseStrangers({ from, to }: ClaimOrder, registry: Registry): void {
  // Rows may be left of a server that is a backend no more: they are claimed from it.
  if (!registry.find(to)) {
    const known = registry.all().map(({ name }) => name);
    const there = known.join(', ') || 'none';
    throw new Refusal('usage', `'${readable(to)}' is none of the backends: there are ${there}`);
  }
  if (from === to) throw new Refusal('usage', 'from and to are the same server');
}

/** Gives mailboxes that the directory places on one server to another one that holds them, too. */
export async function claimMailboxes(order: ClaimOrder, means: ClaimMeans): Promise<ClaimValue[]> {
  refuseStrangers(order, means.registry);
  const admins = new ImapAdmins(means.registry, means.imapTimeout);
  try {
    const claiming = { ...order, ...means, admins };
    const claims: ClaimValue[] = [];
    for (const name of await candidates(claiming)) claims.push(await claim(name, claiming));
    return claims;
  } finally {
    await admins.close();
  }
}
