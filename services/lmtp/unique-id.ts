// Names for sessions and transactions that never come again, also not after a restart.
import { randomBytes } from 'node:crypto';

const process = randomBytes(6).toString('hex');
let count = 0;

/** About 16 characters of `0-9a-z`, fit for a Received line (RFC 5321 section 4.4, an atom). */
export function uniqueId(): string {
  return `${process}${(++count).toString(36).padStart(4, '0')}`;
}
