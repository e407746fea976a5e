// From what became of a recipient to the answer of a map. The rule is LMTP's: no "not found" without proof.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { firstMail } from '../lmtp/routing.ts';
import type { Decision } from '../lmtp/routing.ts';
import type { Reply } from '../lmtp/reply.ts';
import type { Answer } from './socketmap.ts';

export const notFound: Answer = { status: 'NOTFOUND' };

/** The map `mailbox`: whether the recipient exists; the value is the mailbox and its location, for people and logs. */
export function mailboxAnswer(decision: Decision, mailbox: Bytes): Answer {
  if (decision.action === 'deliver') return ok(`${mailbox} ${decision.location}`);
  if (decision === firstMail) return ok(mailbox);
  return refusal(decision);
}

/**
 * The map `transport`: which way the recipient's mail goes. `way` gives it for a server, undefined where there is none.
 * Whom a first message makes goes through role lmtp, which makes him (`firstMessage`).
 */
export function transportAnswer(
  decision: Decision,
  way: (server: Bytes) => Bytes | undefined,
  firstMessage: Bytes | undefined,
): Answer {
  if (decision.action !== 'deliver' && decision !== firstMail) return refusal(decision);
  const transport = decision.action === 'deliver' ? way(decision.server) : firstMessage;
  if (transport !== undefined) return ok(transport);
  const server = decision.action === 'deliver' ? ` to ${decision.server}` : ', and no lookup.transport.first_message';
  return { status: 'TEMP', reason: text(`no delivery from here${server}`) };
}

/**
 * A local part alone. Where domains are parts of names (virtdomains) it may be anybody's of that name: it is not said to
 * exist, nor, if the default domain has one, not to.
 */
export function userAnswer(answer: Answer, virtdomains: 'off' | 'userid' | 'on'): Answer {
  if (virtdomains === 'off' || answer.status !== 'OK') return answer;
  return {
    status: 'TEMP',
    reason: 'ask for the whole address: with virtdomains a user without a domain may be several',
  };
}

function refusal(decision: Exclude<Decision, { action: 'deliver' }>): Answer {
  // Unknown, or a shared folder that takes mail from nobody: LMTP would refuse it, whoever sends.
  if (decision.action === 'reject') return notFound;
  return { status: 'TEMP', reason: replyText(decision.reply) };
}

function ok(value: Bytes): Answer {
  return { status: 'OK', value: text(value) };
}

function replyText({ lines }: Reply): Bytes {
  return text(lines.join(' '));
}

/** Valid UTF-8 without control characters: Postfix takes anything else for a broken table. */
function text(bytes: Bytes): Bytes {
  return Buffer.from(readable(bytes), 'utf8').toString('latin1');
}
