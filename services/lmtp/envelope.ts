// The commands by which a backend is offered a message: each parameter only where the backend has announced it.
import type { Bytes } from '../directory/entry.ts';
import type { Sender, SessionFacts } from './message-handler.ts';

/** What a backend has announced in LHLO. */
export interface Offers {
  offers(keyword: string): boolean;
  /** What follows the keyword; empty where nothing does. */
  argumentsOf(keyword: string): string;
}

/** One recipient for a backend. */
export interface Stop {
  /** The number of its slot in the delivery. */
  slot: number;
  /** The forward-path, without its angle brackets. */
  path: Bytes;
  ignoreQuota: boolean;
}

/** The commands, without their ends. */
export interface Envelope {
  /** What is said before MAIL; the replies to it say nothing about the message. */
  prelude: readonly Bytes[];
  mail: Bytes;
  rcpts: readonly Bytes[];
}

/** What a delivery is called, and what is known of where it came from. */
export type Origin = Pick<SessionFacts, 'mtaQueueId' | 'xforward'> & {
  /** TRACE (Cyrus): names the delivery in the backend's log. */
  traceId: Bytes;
};

/** `added` is how many octets go before the message. */
export function envelopeOf(
  sender: Sender,
  stops: readonly Stop[],
  origin: Origin,
  added: number,
  backend: Offers,
): Envelope {
  return {
    prelude: preludeOf(origin, backend),
    mail: mailOf(sender, added, backend),
    rcpts: rcptsOf(stops, backend),
  };
}

function mailOf(sender: Sender, added: number, backend: Offers): Bytes {
  let line = `MAIL FROM:<${sender.path.raw}>`;
  if (sender.size !== undefined && backend.offers('SIZE')) line += ` SIZE=${sender.size + added}`;
  // To a backend without 8BITMIME the message goes as it is: nobody would thank us for a bounce (RFC 6152 section 3).
  if (sender.body !== undefined && backend.offers('8BITMIME')) line += ` BODY=${sender.body}`;
  if (sender.smtputf8 && backend.offers('SMTPUTF8')) line += ' SMTPUTF8';
  // As Cyrus' proxy: who submitted the message, or that nobody vouches for it.
  if (backend.offers('AUTH')) line += ` AUTH=${sender.auth ?? '<>'}`;
  return line;
}

function rcptsOf(stops: readonly Stop[], backend: Offers): Bytes[] {
  const pass = backend.offers('IGNOREQUOTA');
  return stops.map((stop) => `RCPT TO:<${stop.path}>${stop.ignoreQuota && pass ? ' IGNOREQUOTA' : ''}`);
}

const nothing: readonly Bytes[] = [];

function preludeOf({ traceId, mtaQueueId, xforward }: Origin, backend: Offers): readonly Bytes[] {
  const traced = traceId !== '' && backend.offers('TRACE');
  const forwarded = (xforward.size > 0 || mtaQueueId !== '') && backend.offers('XFORWARD');
  if (!traced && !forwarded) return nothing;
  const attributes = mtaQueueId === '' ? xforward : new Map([['IDENT', mtaQueueId], ...xforward]);
  return [
    ...(traced ? [`TRACE ${traceId}`] : []),
    ...(forwarded ? xforwardOf(attributes, backend.argumentsOf('XFORWARD')) : []),
  ];
}

/** XFORWARD_README: a command line has 512 octets at most; what does not fit into one goes into the next. */
const longestXforward = 510;

function xforwardOf(attributes: ReadonlyMap<Bytes, Bytes>, announced: string): Bytes[] {
  const known = new Set(announced.toUpperCase().split(' '));
  const lines: Bytes[] = [];
  for (const [name, value] of attributes) {
    const word = ` ${name}=${xtext(value)}`;
    if (!known.has(name) || word.length > longestXforward - 'XFORWARD'.length) continue;
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length <= longestXforward) lines[lines.length - 1] = last + word;
    else lines.push(`XFORWARD${word}`);
  }
  return lines;
}

/** RFC 3461 section 4. */
export function xtext(value: Bytes): Bytes {
  return value.replace(/[^!-*,-<>-~]/g, (octet) => `+${hex(octet)}`);
}

function hex(octet: Bytes): string {
  return octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
}

/** Whether the message can only be passed on by SMTPUTF8 (RFC 6531 section 3.2), and the backend does not have it. */
export function lacksUtf8(sender: Sender, backend: Offers): boolean {
  return sender.smtputf8 && !backend.offers('SMTPUTF8');
}

/** Whether a recipient cannot be named without it. */
export function isUtf8(path: Bytes): boolean {
  return /[\x80-\xff]/.test(path);
}
