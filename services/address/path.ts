// The argument of MAIL FROM and RCPT TO: a path between angle brackets, and the parameters behind it (RFC 5321).
import type { Bytes } from './bytes.ts';

export interface Path {
  /** The local part, its quotes and backslashes kept as they came; empty for the null path `<>`. */
  local: Bytes;
  /** What follows the `@`, as it came (also `xn--`, UTF-8, `[192.0.2.1]`); undefined where there was no `@`. */
  domain: Bytes | undefined;
  /** All between `<` and `>`, without the source route. */
  raw: Bytes;
}

/**
 * The longest path taken, in octets. RFC 5321 section 4.5.3.1 asks for at least 64 in a local part and 256 in a path,
 * and for no limit where none is needed: signed and rewritten senders (VERP, SRS, BATV) and `+detail` pass both. Cyrus
 * has none but its line of 4,096. 1,000 is twice what a mailbox name may have, and keeps log lines bounded.
 */
export const maxPath = 1000;

/** What may stand where, as sticky patterns. `high` are the octets above 127 that are let through. */
function grammar(high: string) {
  // Labels are not counted or measured: a domain is looked up as it stands, and names with `_` do exist.
  const domain = `(?:\\[[A-Za-z0-9.:-]+\\]|[A-Za-z0-9._${high}-]+)`;
  // A quoted pair is taken in a bare local part too, as in RFC 821 and in Cyrus.
  const pair = `\\\\[ -~${high}]`;
  return {
    // RFC 5321 section 4.1.1.3 and appendix C: accepted and ignored.
    route: new RegExp(`@${domain}(?:,@${domain})*:`, 'y'),
    quoted: new RegExp(`"(?:[ !#-[\\]-~${high}]|${pair})*"`, 'y'),
    bare: new RegExp(`(?:[!#-'*+\\-./0-9=?A-Z^-~${high}]|${pair})+`, 'y'),
    domain: new RegExp(domain, 'y'),
  };
}

type Grammar = ReturnType<typeof grammar>;

const ascii = grammar('');
const anyOctet = grammar('\\x80-\\xff');

/**
 * Reads a path at the start of `text`, which begins with `<`. `strict` refuses octets above 127 (`lmtp_strict_rfc2821`;
 * a sender that has announced SMTPUTF8 is not held to it). Otherwise they are kept: Cyrus changes each to `X`, which
 * names another mailbox than the sender meant. Control characters are refused everywhere: they would reach the
 * backend's command line. `rest` is empty or begins with a space. Never throws.
 */
export function parsePath(text: Bytes, strict: boolean): { path: Path; rest: Bytes } | { error: string } {
  if (!text.startsWith('<')) return { error: 'the path does not begin with "<"' };
  const head = text.slice(0, maxPath + 2);
  if (head.length < text.length && !head.includes('>')) return { error: `the path is longer than ${maxPath} octets` };
  const found = parts(head, strict ? ascii : anyOctet);
  if ('error' in found) return found;
  const rest = text.slice(found.end + 1);
  if (rest !== '' && !rest.startsWith(' '))
    return { error: `the path is followed by ${shown(rest, 0)}, not by a space` };
  return { path: found.path, rest };
}

/** The path in `text`, and where its `>` stands. */
function parts(text: Bytes, allowed: Grammar): { path: Path; end: number } | { error: string } {
  if (text.startsWith('<>')) return { path: { local: '', domain: undefined, raw: '' }, end: 1 };
  const start = text[1] === '@' ? after(allowed.route, text, 1) : 1;
  if (start < 0) return { error: 'the source route is not a list of @domains before a colon' };

  const at = after(text[start] === '"' ? allowed.quoted : allowed.bare, text, start);
  if (at < 0) return { error: `the local part ${unexpected(text, start)}` };
  const end = text[at] === '@' ? after(allowed.domain, text, at + 1) : at;
  if (end < 0) return { error: `the domain ${unexpected(text, at + 1)}` };
  if (text[end] !== '>') return { error: `the path ${unexpected(text, end)}` };

  const domain = end === at ? undefined : text.slice(at + 1, end);
  return { path: { local: text.slice(start, at), domain, raw: text.slice(start, end) }, end };
}

/**
 * Reads the parameters behind a path: keywords in upper case, values as they came (xtext is not decoded), `true` for a
 * keyword alone. A keyword given twice is an error, for one of the two would be ignored.
 */
export function parseParameters(rest: Bytes): Map<string, Bytes | true> | { error: string } {
  const parameters = new Map<string, Bytes | true>();
  for (const word of rest.split(' ')) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    const keyword = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    const value = equals < 0 ? true : word.slice(equals + 1);
    // RFC 5321 section 4.1.2; a `=` inside the value is let pass, and octets above 127 are RFC 6531's.
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(keyword)) return { error: 'a parameter has no proper keyword' };
    if (value === '') return { error: `${keyword} requires a value` };
    if (value !== true && /[\x00-\x1f\x7f]/.test(value)) return { error: `${keyword} has a control character` };
    if (parameters.has(keyword)) return { error: `${keyword} is given twice` };
    parameters.set(keyword, value);
  }
  return parameters;
}

/** Where the pattern's match at `position` ends; -1 when it does not match there. */
function after(pattern: RegExp, text: Bytes, position: number): number {
  pattern.lastIndex = position;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

function unexpected(text: Bytes, position: number): string {
  return `has ${shown(text, position)} at octet ${position + 1}`;
}

/** The octet at `position`, fit for a reply line: printable ASCII as it is, others by number. */
function shown(text: Bytes, position: number): string {
  const octet = text[position];
  if (octet === undefined) return 'its end';
  return /[!-~]/.test(octet) ? `"${octet}"` : `octet 0x${octet.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
