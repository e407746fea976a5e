// xtext (RFC 3461 section 4): how values are written in parameters of MAIL and RCPT.
import type { Bytes } from './bytes.ts';

/** What xtext stands for; undefined where it is none. */
export function xtextValue(text: Bytes): Bytes | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined;
  return text.replace(/\+([0-9A-F]{2})/g, (_, octet: string) => String.fromCharCode(parseInt(octet, 16)));
}
