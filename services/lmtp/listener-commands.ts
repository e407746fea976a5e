// MAIL and RCPT, read: from a command line to a sender or a recipient, or to the reply that says what is wrong.
import { isUtf8 } from 'node:buffer';
import type { Bytes } from '../directory/entry.ts';
import { parseParameters, parsePath, type Path } from '../address/path.ts';
import type { Recipient, Sender } from './message-handler.ts';
import { asciiRecipient, asciiSender, badParameters, tooBig, unknownParameter } from './reply-codes.ts';
import type { Reply } from './reply.ts';
import type { LmtpSettings } from './settings.ts';

type Parameters = Map<string, Bytes | true>;

/** RFC 4954 section 5 and RFC 3461 section 4: xtext, or `<>`. */
const xtext = /^(?:<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+)$/;

/**
 * `MAIL FROM:<path> SIZE=n BODY=x AUTH=y SMTPUTF8`; other parameters are refused. BINARYMIME and DSN have their place
 * here. Of a client that is not `believed`, AUTH counts as `<>` (RFC 4954 section 5).
 */
export function readMail(
  line: Bytes,
  settings: LmtpSettings,
  believed: boolean,
): { sender: Sender } | { refusal: Reply } {
  const argument = readArgument(line, 'MAIL FROM:', [
    'SIZE',
    'BODY',
    'AUTH',
    ...(settings.smtputf8 ? ['SMTPUTF8'] : []),
  ]);
  if ('refusal' in argument) return argument;
  const { path, parameters } = argument;
  const size = parameters.get('SIZE');
  const body = parameters.get('BODY');
  const auth = parameters.get('AUTH');
  const utf8 = parameters.get('SMTPUTF8');
  // RFC 1870 section 5: up to 20 digits.
  if (size !== undefined && !(size !== true && /^[0-9]{1,20}$/.test(size))) return refused('SIZE is a number of bytes');
  const kind = body === undefined || body === true ? body : body.toUpperCase();
  if (kind !== undefined && kind !== '7BIT' && kind !== '8BITMIME') return refused('BODY is 7BIT or 8BITMIME');
  if (auth !== undefined && !(auth !== true && xtext.test(auth))) return refused('AUTH is xtext or <>');
  if (utf8 !== undefined && utf8 !== true) return refused('SMTPUTF8 takes no value');
  const smtputf8 = utf8 !== undefined;
  if (!mayStand(path, smtputf8, settings))
    return smtputf8 ? refused('The address is no UTF-8') : { refusal: asciiSender };

  const octets = size === undefined ? undefined : Number(size);
  if (octets !== undefined && settings.size_limit > 0 && octets > settings.size_limit) {
    return { refusal: tooBig(settings.size_limit) };
  }
  const spokenFor = auth === undefined || believed ? auth : '<>';
  return { sender: { path, size: octets, body: kind, auth: spokenFor, smtputf8 } };
}

/** `RCPT TO:<path> IGNOREQUOTA`, which counts only when the client is `believed`; `smtputf8` is what MAIL said. */
export function readRcpt(
  line: Bytes,
  settings: LmtpSettings,
  { believed, smtputf8 }: { believed: boolean; smtputf8: boolean },
): { recipient: Recipient } | { refusal: Reply } {
  const argument = readArgument(line, 'RCPT TO:', ['IGNOREQUOTA']);
  if ('refusal' in argument) return argument;
  const { path, parameters } = argument;
  const ignoreQuota = parameters.get('IGNOREQUOTA');
  if (ignoreQuota !== undefined && ignoreQuota !== true) return refused('IGNOREQUOTA takes no value');
  if (!mayStand(path, smtputf8, settings)) {
    return smtputf8 ? refused('The address is no UTF-8') : { refusal: asciiRecipient };
  }
  return { recipient: { path, ignoreQuota: believed && ignoreQuota === true } };
}

/** Octets above 127: UTF-8 with SMTPUTF8 (RFC 6531 section 3.3), without it only where they are let through as they are. */
function mayStand(path: Path, smtputf8: boolean, settings: LmtpSettings): boolean {
  if (!/[\x80-\xff]/.test(path.raw)) return true;
  return smtputf8 ? isUtf8(Buffer.from(path.raw, 'latin1')) : !settings.lmtp_strict_rfc2821;
}

function readArgument(
  line: Bytes,
  start: string,
  known: readonly string[],
): { path: Path; parameters: Parameters } | { refusal: Reply } {
  if (line.slice(0, start.length).toUpperCase() !== start) return refused(`${start}<address> is expected`);
  const read = parsePath(line.slice(start.length), false);
  if ('error' in read) return refused(read.error);
  const parameters = parseParameters(read.rest);
  if ('error' in parameters) return refused(parameters.error);
  for (const keyword of parameters.keys()) {
    if (!known.includes(keyword)) return { refusal: unknownParameter(keyword.slice(0, 64)) };
  }
  return { path: read.path, parameters };
}

function refused(why: Bytes): { refusal: Reply } {
  // The reader's sentences begin in lower case; a reply does not.
  return { refusal: badParameters(why.charAt(0).toUpperCase() + why.slice(1, 400)) };
}
