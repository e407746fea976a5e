// Names for sessions, never used again: not by this process, not by one after it, not by one on another host.
import { randomBytes } from 'node:crypto';

/** A maker of ids for one process: the host's name, chance, and a counter. No space or comma is in them. */
export function sessionIds(servername: string): () => string {
  const process = `${servername.split('.')[0] ?? ''}-${randomBytes(6).toString('hex')}`;
  let count = 0;
  return () => `${process}-${++count}`;
}
