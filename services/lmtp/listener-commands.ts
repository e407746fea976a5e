// MAIL and RCPT, read: from a command line to a sender or a recipient, or to the reply that says what is wrong.
import type { Bytes } from '../directory/entry.ts';
import { parseParameters, parsePath, type Path } from '../address/path.ts';
import type { Recipient, Sender } from './message-handler.ts';
import { badParameters, tooBig } from './reply-codes.ts';
import type { Reply } from './reply.ts';
import type { LmtpSettings } from './settings.ts';

type Parameters = Map<string, Bytes | true>;

/** `MAIL FROM:<path> SIZE=n BODY=x AUTH=y`; other parameters are refused, with 501 5.5.4 as Cyrus does. */
export function readMail(line: Bytes, settings: LmtpSettings): { sender: Sender } | { refusal: Reply } {
  const argument = readArgument(line, 'MAIL FROM:', settings);
  if ('refusal' in argument) return argument;
  const { path, parameters } = argument;
  const size = parameters.get('SIZE');
  const body = parameters.get('BODY');
  const auth = parameters.get('AUTH');
  // RFC 1870 section 5: up to 20 digits.
  if (size !== undefined && !(size !== true && /^[0-9]{1,20}$/.test(size))) return refused('SIZE is a number of bytes');
  const kind = body === undefined || body === true ? body : body.toUpperCase();
  if (kind !== undefined && kind !== '7BIT' && kind !== '8BITMIME') return refused('BODY is 7BIT or 8BITMIME');
  // RFC 4954 section 5 and RFC 3461 section 4: xtext, or `<>`.
  const xtext = /^(?:<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+)$/;
  if (auth !== undefined && !(auth !== true && xtext.test(auth))) return refused('AUTH is xtext or <>');
  const unknown = firstUnknown(parameters, ['SIZE', 'BODY', 'AUTH']);
  if (unknown !== undefined) return unknown;

  const octets = size === undefined ? undefined : Number(size);
  if (octets !== undefined && settings.size_limit > 0 && octets > settings.size_limit) {
    return { refusal: tooBig(settings.size_limit) };
  }
  return { sender: { path, size: octets, body: kind, auth, smtputf8: false } };
}

/** `RCPT TO:<path> IGNOREQUOTA`. */
export function readRcpt(line: Bytes, settings: LmtpSettings): { recipient: Recipient } | { refusal: Reply } {
  const argument = readArgument(line, 'RCPT TO:', settings);
  if ('refusal' in argument) return argument;
  const { path, parameters } = argument;
  const ignoreQuota = parameters.get('IGNOREQUOTA');
  if (ignoreQuota !== undefined && ignoreQuota !== true) return refused('IGNOREQUOTA takes no value');
  const unknown = firstUnknown(parameters, ['IGNOREQUOTA']);
  return unknown ?? { recipient: { path, ignoreQuota: ignoreQuota === true } };
}

/**
 * `XFORWARD IDENT=x` (Postfix' extension, XFORWARD_README): the MTA's own name for the message, for our log alone. Other
 * attributes are not announced, so that none is sent. Empty when the MTA has none.
 */
export function readXforward(argument: Bytes): { ident: Bytes } | { refusal: Reply } {
  const value = /^IDENT=([!-~]{1,255})$/i.exec(argument)?.[1];
  if (value === undefined) return refused('IDENT is the only attribute taken');
  // xtext: RFC 3461 section 4.
  const ident = value.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return { ident: ident.toUpperCase() === '[UNAVAILABLE]' ? '' : ident };
}

function readArgument(
  line: Bytes,
  start: string,
  settings: LmtpSettings,
): { path: Path; parameters: Parameters } | { refusal: Reply } {
  if (line.slice(0, start.length).toUpperCase() !== start) return refused(`${start}<address> is expected`);
  const read = parsePath(line.slice(start.length), settings.lmtp_strict_rfc2821);
  if ('error' in read) return refused(read.error);
  const parameters = parseParameters(read.rest);
  if ('error' in parameters) return refused(parameters.error);
  return { path: read.path, parameters };
}

function firstUnknown(parameters: Parameters, known: readonly string[]): { refusal: Reply } | undefined {
  for (const keyword of parameters.keys())
    if (!known.includes(keyword)) return refused(`Unrecognized parameter ${keyword}`);
  return undefined;
}

function refused(why: Bytes): { refusal: Reply } {
  // The reader's sentences begin in lower case; a reply does not.
  return { refusal: badParameters(why.charAt(0).toUpperCase() + why.slice(1, 400)) };
}
