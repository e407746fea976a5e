// A reply: its code, its enhanced status code, and its lines as they go over the wire.
import type { Bytes } from '../directory/entry.ts';

/** RFC 5321 section 4.2, with the enhanced status code of RFC 2034 and RFC 3463. */
export interface Reply {
  /** 200 to 599. */
  code: number;
  /** `5.1.1`; empty in a reply that carries none (greeting, LHLO, 354). */
  enhanced: string;
  /** What follows the code on each line, the enhanced code included; at least one line, none with a line end in it. */
  lines: readonly Bytes[];
}

/** Our own reply: the enhanced code stands on each of its lines (RFC 2034 section 4). */
export function reply(code: number, enhanced: string, ...texts: Bytes[]): Reply {
  return { code, enhanced, lines: texts.map((text) => (enhanced === '' ? text : `${enhanced} ${text}`)) };
}

/** The reply as it is sent, line ends included. */
export function wireText(reply: Reply): Bytes {
  const last = reply.lines.length - 1;
  if (last === 0) return `${reply.code} ${reply.lines[0]}\r\n`;
  return reply.lines.map((line, index) => `${reply.code}${index < last ? '-' : ' '}${line}\r\n`).join('');
}

/** The reply on one line, for a log or an operator, without its code. */
export function plainText(reply: Reply): Bytes {
  const prefix = `${reply.enhanced} `;
  return reply.lines.map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : line)).join(' ');
}

/**
 * "It is done" (RFC 5321 section 4.2.3: 250, 251, 252). The other 2xx say something else: a backend that closes with 221
 * has taken nothing.
 */
export function isPositive(reply: Reply): boolean {
  return reply.code >= 250 && reply.code < 260;
}

/** Yes or no: what MAIL, RCPT and a message are answered with. Whoever says anything else has lost step with us. */
export function isAnswer(reply: Reply): boolean {
  return isPositive(reply) || reply.code >= 400;
}

/** "Go on": no answer to anything but DATA. */
export function isIntermediate(reply: Reply): boolean {
  return reply.code >= 300 && reply.code < 400;
}

export function isPermanent(reply: Reply): boolean {
  return reply.code >= 500;
}

/** The longest reply line we pass on: a real reply has less (RFC 5321 section 4.5.3.1.5 says 512). */
const longestLine = 900;

/**
 * A reply as it was read: lines joined by LF, without the last line end. Undefined for what is no reply (RFC 5321
 * section 4.2): no code, or lines with different codes. Control characters become `?`, since the text is passed on. A refusal
 * with a code beyond X5Z, or of many lines (Sieve's reject, in full), is a reply all the same: to take it for none would lose
 * the other recipients' replies, too, and deliver to these once more.
 */
export function parseReply(text: Bytes): Reply | undefined {
  const lines = text.split('\n');
  const code = /^(?:[23][0-5]|[45][0-9])[0-9](?=[ -]|$)/.exec(text)?.[0];
  if (code === undefined) return undefined;
  if (!lines.every((line) => line.startsWith(code) && /^(?:[ -]|$)/.test(line.slice(3)))) return undefined;
  const texts = lines.map((line) => line.slice(4, 4 + longestLine).replace(/[\x00-\x08\x0a-\x1f\x7f]/g, '?'));
  return { code: Number(code), enhanced: enhancedOf(Number(code), texts), lines: texts };
}

/** The enhanced code of the last line that has one of the reply's own class: Cyrus puts it on the last line only. */
function enhancedOf(code: number, texts: readonly Bytes[]): string {
  for (const text of texts.toReversed()) {
    const found = /^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)/.exec(text)?.[1];
    if (found !== undefined && found.startsWith(`${Math.floor(code / 100)}.`)) return found;
  }
  return '';
}
