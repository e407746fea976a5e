// How much mail many trees of a Cyrus server have: by their quotas, or mailbox by mailbox.
import { isUser } from '../address/user-name.ts';
import type { Bytes } from '../address/bytes.ts';
import { useOf } from './imap-quota.ts';
import { listed, quoted } from './imap-response.ts';
import type { Answer } from './imap-response.ts';
import type { ImapSession } from './imap-session.ts';
import { answerAbout, pairsOf } from './imap-words.ts';

export interface TreeSize {
  octets: number;
  /** Undefined where the server does not tell. */
  messages?: number;
  /** More is used than its quota allows, of storage or messages. */
  over?: boolean;
}

/** How many trees a question is about: all of it has to be answered in time. */
export const mostAtOnce = 200;

/**
 * What is used of the quota of each, which Cyrus keeps by itself: a look into one record. Undefined where there is no such
 * root, or no limit on storage: then nothing is told.
 */
export async function quotaSizes(session: ImapSession, roots: readonly Bytes[]): Promise<(TreeSize | undefined)[]> {
  const names = namesOf(session, roots);
  const answers = await inTurn(session, names, (external) => `GETQUOTA ${quoted(external)}`);
  return names.map((external, at) => {
    const [list] = (external !== undefined && answerAbout(answers[at]?.untagged ?? [], 'QUOTA', external)) || [];
    const use = Array.isArray(list) ? useOf(list) : undefined;
    if (!use?.storageKiB) return undefined;
    const { storageKiB, messages } = use;
    const over = isOver(storageKiB) || (messages !== undefined && isOver(messages));
    const octets = storageKiB.used * 1024;
    return { octets, ...(messages && { messages: messages.used }), ...(over && { over }) };
  });
}

function isOver({ used, limit }: { used: number; limit: number }): boolean {
  return used > limit;
}

/**
 * All mailboxes of each user, or the one shared mailbox, added up. In the answer to LIST (RFC 5819) Cyrus 3.6.1 tells an
 * administrator SIZE and MESSAGES whatever the ACL says, where STATUS alone wants `r`. Undefined where nothing is listed.
 */
export async function countedSizes(session: ImapSession, roots: readonly Bytes[]): Promise<(TreeSize | undefined)[]> {
  const names = namesOf(session, roots);
  const answers = await inTurn(session, names, (external, at) => {
    const root = roots[at] ?? '';
    const below = isUser(root) ? ` ${quoted(session.external(`${root}.*`))}` : '';
    return `LIST "" (${quoted(external)}${below}) RETURN (STATUS (SIZE MESSAGES))`;
  });
  return answers.map((answer) => answer && sumOf(answer));
}

/** A name that the server cannot have, or that it would take for a pattern, is asked about by nobody. */
function namesOf(session: ImapSession, roots: readonly Bytes[]): (Bytes | undefined)[] {
  return roots.map((root) => {
    if (/[*%]/.test(root)) return undefined;
    try {
      return session.external(root);
    } catch {
      return undefined;
    }
  });
}

/** The answers, each at the place of its name. */
async function inTurn(
  session: ImapSession,
  names: readonly (Bytes | undefined)[],
  command: (external: Bytes, at: number) => Bytes,
): Promise<(Answer | undefined)[]> {
  const answers: (Answer | undefined)[] = [];
  for (const [at, name] of names.entries())
    answers.push(name === undefined ? undefined : await session.command(command(name, at)));
  return answers;
}

function sumOf({ status, untagged }: Answer): TreeSize | undefined {
  const sum = { octets: 0, messages: 0 };
  let mailboxes = 0;
  for (const response of untagged) {
    if (listed(response)?.mailbox) mailboxes += 1;
    const told = statusOf(response);
    if (!told) continue;
    mailboxes -= 1;
    sum.octets += told.octets;
    sum.messages += told.messages;
  }
  // Where a mailbox is listed and does not say its size the sum is none.
  return status === 'OK' && mailboxes === 0 && untagged.length > 0 ? sum : undefined;
}

function statusOf(response: Bytes): { octets: number; messages: number } | undefined {
  const [, pairs] = /^STATUS .* \(([A-Z0-9 ]*)\)$/is.exec(response) ?? [];
  const found = new Map(pairsOf((pairs ?? '').split(' ')) ?? []);
  const [octets, messages] = [Number(found.get('SIZE')), Number(found.get('MESSAGES'))];
  return Number.isSafeInteger(octets) && Number.isSafeInteger(messages) ? { octets, messages } : undefined;
}
