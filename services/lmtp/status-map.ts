// What a backend said, and what the MTA is told for it: only a verdict on a recipient may be permanent.
import type { Bytes } from '../directory/entry.ts';
import { backendRefused, staleDirectory } from './reply-codes.ts';
import { isPermanent, isPositive, plainText, type Reply } from './reply.ts';

/** A backend's words inside a reply of ours: on one line, and short enough for it. */
function quoted(said: Reply): Bytes {
  return `${said.code} ${said.enhanced} ${plainText(said)}`.replace('  ', ' ').slice(0, 300);
}

/**
 * The enhanced code a reply without one is sent with, since we announce ENHANCEDSTATUSCODES (RFC 2034 section 3). A
 * reply that has one on any line is left as it is.
 */
function withEnhanced(said: Reply, enhanced = usualEnhanced(said)): Reply {
  if (said.enhanced !== '') return said;
  return { code: said.code, enhanced, lines: said.lines.map((line) => `${enhanced} ${line}`.trimEnd()) };
}

/** Of a reply about a recipient. */
function usualEnhanced(said: Reply): string {
  if (isPositive(said)) return '2.1.5';
  return said.code === 452 ? '4.2.2' : said.code === 552 ? '5.2.2' : '4.0.0';
}

/**
 * Permanent replies that are a verdict on the recipient's mailbox (X.2), its policy (X.7) or the message (X.6, and
 * X.3.4 too big); and 552 in words of its own (RFC 5321: exceeded storage allocation). The rest says something about
 * addresses, routes, or how we speak: not for the MTA to bounce on.
 */
function isVerdict(said: Reply): boolean {
  if (said.code < 550) return false;
  return /^5\.(?:[267]\.|3\.4$)/.test(said.enhanced) || (said.code === 552 && said.enhanced === '');
}

/**
 * "No such mailbox here" (X.1 but for X.1.7 and X.1.8, which are about the sender; without an enhanced code 550, 551 and
 * 553 of RFC 5321 section 4.2.3), of a mailbox that the directory places there: one of the two is stale.
 */
export function contradictsDirectory(said: Reply): boolean {
  if (said.code < 550) return false;
  if (said.enhanced === '') return said.code === 550 || said.code === 551 || said.code === 553;
  return /^5\.1\.(?![78]$)/.test(said.enhanced);
}

/**
 * A reply to RCPT, or one of those after the final dot. Positive and temporary ones, and verdicts, are passed on whole.
 * "Unknown there" contradicts the directory, so it is temporary, and so is any refusal that we can't read.
 */
export function recipientReply(said: Reply, server: Bytes): Reply {
  if (isPositive(said) || (!isPermanent(said) && said.code >= 400) || isVerdict(said)) return withEnhanced(said);
  if (contradictsDirectory(said)) return staleDirectory(server, quoted(said));
  return backendRefused(server, quoted(said));
}

/** A refusal of the session: greeting, LHLO, AUTH, DATA. */
export function sessionReply(said: Reply, server: Bytes): Reply {
  return backendRefused(server, quoted(said));
}

/**
 * A refusal of MAIL: about the session, unless it is about the message's size (RFC 1870 section 6.1: 552, or 452 while
 * there is no room; X.3.4 too big for the system, X.2.3 for the mailbox, X.3.1 no room).
 */
export function senderReply(said: Reply, server: Bytes): Reply {
  if (said.code !== 552 && said.code !== 452) return sessionReply(said, server);
  if (said.enhanced === '') return withEnhanced(said, said.code === 552 ? '5.3.4' : '4.3.1');
  return said.code === 452 || /^5\.(?:3\.4|2\.3)$/.test(said.enhanced) ? said : sessionReply(said, server);
}

/**
 * Whether a reply after the final dot is the only one that will come: Cyrus says once, for all recipients, that a message of
 * `sent` octets is larger than it takes (RFC 2033 section 4.2 wants a reply for each). It has announced a limit, so it is
 * true of each of them.
 */
export function isForAll(said: Reply, sent: number, limit: number | undefined): boolean {
  return limit !== undefined && sent > limit && said.code === 552 && /^5\.(?:3\.4|2\.3)$/.test(said.enhanced);
}
