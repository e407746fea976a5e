// Quotas of a Cyrus server's mailboxes (RFC 9208), read and set by its administrator.
import type { Bytes } from '../address/bytes.ts';
import { quoted } from './imap-response.ts';
import type { Effect, ImapSession } from './imap-session.ts';
import { answerAbout } from './imap-words.ts';
import type { Word } from './imap-words.ts';

/** What is left out is not limited; 0 lets nothing in. */
export interface QuotaLimits {
  storageKiB?: number;
  messages?: number;
}

/** The limits, and what is used of each; a resource without a limit is not told of. */
export interface QuotaUse {
  storageKiB?: { used: number; limit: number };
  messages?: { used: number; limit: number };
}

/** The highest limit that Cyrus 3.6.1 takes, 2 TiB as storage: its imapd closes the connection over a higher one. */
export const highestQuota = 2_147_483_647;

const resources = { storageKiB: 'STORAGE', messages: 'MESSAGE' } as const;
const keys = Object.keys(resources) as (keyof typeof resources)[];

export async function quotaOf(session: ImapSession, root: Bytes): Promise<QuotaUse | undefined> {
  const external = session.external(root);
  const answer = await session.command(`GETQUOTA ${quoted(external)}`);
  if (answer.status === 'NO' && answer.text === 'Quota root does not exist') return undefined;
  const [list] = answerAbout(answer.untagged, 'QUOTA', external) ?? [];
  const use = Array.isArray(list) ? useOf(list) : undefined;
  if (answer.status !== 'OK' || !use) throw session.unclear('GETQUOTA', root, answer);
  return use;
}

/** SETQUOTA knows nothing of single limits: it takes those away that it does not name, those of other resources too. */
export async function setQuota(session: ImapSession, root: Bytes, limits: QuotaLimits): Promise<Effect> {
  const wanted = keys.flatMap((key) => (limits[key] === undefined ? [] : [[key, limits[key]] as const]));
  for (const [key, limit] of wanted) {
    if (Number.isInteger(limit) && limit >= 0 && limit <= highestQuota) continue;
    throw session.refuses(`${limit} is no quota (${key}): it may be a whole number from 0 to ${highestQuota}`);
  }
  const use = await quotaOf(session, root);
  const none = use === undefined && wanted.length === 0;
  if (none || (use && keys.every((key) => use[key]?.limit === limits[key]))) return 'already';
  const list = wanted.map(([key, limit]) => `${resources[key]} ${limit}`).join(' ');
  const answer = await session.command(`SETQUOTA ${quoted(session.external(root))} (${list})`);
  if (answer.status !== 'OK') throw session.unclear('SETQUOTA', root, answer);
  return 'done';
}

/** Triples of name, usage and limit; undefined where they are none. */
export function useOf(list: readonly Word[]): QuotaUse | undefined {
  const use: QuotaUse = {};
  for (let at = 0; at < list.length; at += 3) {
    const [name, used, limit] = list.slice(at, at + 3);
    if (typeof name !== 'string' || !isNumber(used) || !isNumber(limit)) return undefined;
    const key = keys.find((one) => resources[one] === name.toUpperCase());
    if (key) use[key] = { used: Number(used), limit: Number(limit) };
  }
  return use;
}

function isNumber(word: Word | undefined): word is string {
  return typeof word === 'string' && /^\d{1,15}$/.test(word);
}
