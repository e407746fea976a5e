// XFORWARD and TRACE, read: what an MTA says of the client that it had the message from, and what it calls the delivery.
import { isIP, isIPv6 } from 'node:net';
import type { Bytes } from '../directory/entry.ts';
import { badParameters } from './reply-codes.ts';
import type { Reply } from './reply.ts';

/** Attributes of the message's first client, by name in capitals. */
export type Attributes = ReadonlyMap<Bytes, Bytes>;

export const noAttributes: Attributes = new Map();

/** In the order of XFORWARD_README. */
export const attributeNames = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'];

/** The longest value, in octets before it is decoded; XFORWARD_README has 255 for the decoded one. */
const longest = 765;

/**
 * `XFORWARD NAME=x ADDR=y ...` (Postfix' XFORWARD_README): attributes of the next transaction, added to those that came
 * before. A value that is `[UNAVAILABLE]` takes the attribute away. All or none is taken.
 */
export function readXforward(argument: Bytes, before: Attributes): { attributes: Attributes } | { refusal: Reply } {
  const attributes = new Map(before);
  const words = argument.split(' ').filter((word) => word !== '');
  if (words.length === 0) return refused('XFORWARD needs attributes');
  for (const word of words) {
    const equals = word.indexOf('=');
    const name = word.slice(0, Math.max(equals, 0)).toUpperCase();
    if (!attributeNames.includes(name)) return refused(`Attributes are ${attributeNames.join(' ')}`);
    const value = decoded(word.slice(equals + 1));
    if (value === undefined) return refused(`${name} is no xtext of at most 255 octets`);
    if (value.toUpperCase() === '[UNAVAILABLE]') attributes.delete(name);
    else if (fits(name, value)) attributes.set(name, value);
    else return refused(`${name} has no proper value`);
  }
  return { attributes };
}

/** xtext (RFC 3461 section 4); undefined when it is none, or would bring control characters in. */
function decoded(text: Bytes): Bytes | undefined {
  if (text.length > longest || !/^(?:[!-*,-~\x80-\xff]|\+[0-9A-Fa-f]{2})+$/.test(text)) return undefined;
  const value = text.replace(/\+([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return value.length > 255 || /[\x00-\x1f\x7f]/.test(value) ? undefined : value;
}

function fits(name: Bytes, value: Bytes): boolean {
  // RFC 5321 section 4.1.3 for `IPv6:`, which Postfix writes.
  if (name === 'ADDR') return /^ipv6:/i.test(value) ? isIPv6(value.slice(5)) : isIP(value) !== 0;
  if (name === 'PORT') return /^\d{1,5}$/.test(value) && Number(value) <= 65_535;
  return name !== 'SOURCE' || /^(?:LOCAL|REMOTE)$/i.test(value);
}

/** `TRACE id` (Cyrus): up to 255 of the characters that it takes in one; without an argument, no id. */
export function readTrace(argument: Bytes): { traceId: Bytes } | { refusal: Reply } {
  if (/^[A-Za-z0-9_-]{0,255}$/.test(argument)) return { traceId: argument };
  return refused('Invalid TRACE id');
}

function refused(why: Bytes): { refusal: Reply } {
  return { refusal: badParameters(why) };
}
