// Whether a backend of the configuration is fit to be used: asked by each protocol that it will be spoken to in.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { identity } from '../backends/imap-identity.ts';
import { ImapSession } from '../backends/imap-session.ts';
import { freeSpace } from '../backends/imap-space.ts';
import { addressText } from '../backends/registry.ts';
import type { Backend, LmtpAccess } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { BackendSession } from '../lmtp/backend-session.ts';

export const checkValue = z
  .object({
    what: z.string(),
    is: z
      .enum(['well', 'doubtful', 'wrong'])
      .meta({ description: 'doubtful: it can be used, but not for everything.' }),
    note: z.string(),
  })
  .meta({ id: 'BackendCheck', description: 'One thing that was looked at, and what was found.' });

export type CheckValue = z.output<typeof checkValue>;

export interface CheckMeans {
  /** A session by LMTP, let in where there is a user; rejects when none can be had. */
  openLmtp: (server: string, access: LmtpAccess) => Promise<Pick<BackendSession, 'argumentsOf' | 'offers' | 'leave'>>;
  directory: Pick<Directory, 'standing'>;
  /** How long a backend may take for each answer by IMAP, in milliseconds. */
  imapTimeout: number;
}

/** How long a backend may take for its farewell, in milliseconds. */
const farewell = 1000;

/** Looks at all there is to look at, whatever is found first. Rejects only where the directory cannot be asked. */
export async function checkBackend(backend: Backend, means: CheckMeans): Promise<CheckValue[]> {
  const [lmtp, imap] = await Promise.all([lmtpChecks(backend, means), imapChecks(backend, means)]);
  return [...lmtp, ...imap, await pushCheck(backend, means)];
}

function reasonOf(error: unknown): string {
  return readable(error instanceof Error ? error.message : String(error));
}

async function lmtpChecks({ name, lmtp }: Backend, { openLmtp }: CheckMeans): Promise<CheckValue[]> {
  if (!lmtp) return [{ what: 'LMTP', is: 'wrong', note: 'no lmtp in the configuration: no mail could be delivered' }];
  const at = lmtp.addresses.map(addressText).join(', else ');
  try {
    const session = await openLmtp(name, lmtp);
    const checks: CheckValue[] = [{ what: 'LMTP', is: 'well', note: `answers at ${at}` }];
    const letIn = lmtp.username === undefined || /\bPLAIN\b/i.test(session.argumentsOf('AUTH'));
    if (!letIn)
      checks.push({ what: 'LMTP login', is: 'wrong', note: 'AUTH PLAIN is not offered, and there is a user' });
    else if (lmtp.username !== undefined) checks.push({ what: 'LMTP login', is: 'well', note: `as ${lmtp.username}` });
    const lacking = wanted.filter(([keyword]) => !session.offers(keyword)).map((one) => one.join(': '));
    const is = lacking.length === 0 ? 'well' : 'doubtful';
    checks.push({ what: 'LMTP extensions', is, note: lacking.length === 0 ? 'all' : `without ${lacking.join('; ')}` });
    await session.leave(farewell);
    return checks;
  } catch (error) {
    return [{ what: 'LMTP', is: 'wrong', note: reasonOf(error) }];
  }
}

/** What it means where a backend does not offer it. */
const wanted = [
  ['PIPELINING', 'each command waits for the answer to the one before'],
  ['ENHANCEDSTATUSCODES', 'less is told to MTAs'],
  ['8BITMIME', 'such messages are put off'],
  ['SMTPUTF8', 'such messages are put off'],
] as const;

async function imapChecks(backend: Backend, { imapTimeout }: CheckMeans): Promise<CheckValue[]> {
  const { name, imap, space, mupdate } = backend;
  if (!imap) {
    const note = 'no imap with a user in the configuration: workers cannot ask it, and nobody can be moved or made';
    return [{ what: 'IMAP', is: mupdate ? 'wrong' : 'doubtful', note }];
  }
  let session: ImapSession;
  try {
    session = await ImapSession.connect(imap, { timeout: imapTimeout, server: name });
  } catch (error) {
    return [{ what: 'IMAP', is: 'wrong', note: reasonOf(error) }];
  }
  const look = (what: string, ask: (session: ImapSession) => Promise<CheckValue[]>): Promise<CheckValue[]> =>
    session.asks(what, () => ask(session)).catch((error: unknown) => [{ what, is: 'wrong', note: reasonOf(error) }]);
  const checks: CheckValue[] = [
    { what: 'IMAP', is: 'well', note: `lets ${imap.username} in at ${addressText(imap)}, as an administrator` },
    ...(await look('version', versionChecks)),
    ...(space ? [toldPartitions(space.map((one) => one.name))] : await look('room', roomChecks)),
  ];
  await session.close();
  return checks;
}

async function versionChecks(session: ImapSession): Promise<CheckValue[]> {
  const { version, replication } = await identity(session);
  return [
    version === undefined
      ? { what: 'version', is: 'doubtful', note: 'it does not say' }
      : { what: 'version', is: /^Cyrus IMAPD [3-9]/.test(version) ? 'well' : 'doubtful', note: readable(version) },
    replication
      ? { what: 'X-REPLICATION', is: 'well', note: 'copies can be compared, message by message' }
      : { what: 'X-REPLICATION', is: 'doubtful', note: 'not offered: nobody can be moved with proof' },
  ];
}

async function roomChecks(session: ImapSession): Promise<CheckValue[]> {
  const { total, emptiest } = await freeSpace(session);
  const note = `${total.availableKiB} of ${total.totalKiB} KiB free, ${emptiest.availableKiB} on the emptiest partition; it tells no more of its partitions`;
  return [{ what: 'partitions', is: total.availableKiB > 0 ? 'well' : 'doubtful', note }];
}

function toldPartitions(names: readonly string[]): CheckValue {
  return { what: 'partitions', is: 'well', note: `${names.join(', ')}, as the configuration says: it is not asked` };
}

async function pushCheck({ name, mupdate }: Backend, { directory }: CheckMeans): Promise<CheckValue> {
  if (!mupdate) return { what: 'MUPDATE', is: 'well', note: 'it pushes nothing: its rows are written here' };
  const { heard } = await directory.standing();
  if (heard.includes(bytesFromText(name))) return { what: 'MUPDATE', is: 'well', note: 'it has told what it has' };
  const note = 'it has not told what it has (ctl_mboxlist -m, at its start): until then absence is not proven';
  return { what: 'MUPDATE', is: 'wrong', note };
}
