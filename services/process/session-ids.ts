// Names for sessions, never used again: not by this process, not by one after it, not by one on another host.
import { randomBytes } from 'node:crypto';

/** A name for this process as a directory node: the host's name and chance. No space or comma is in it. */
export function nodeName(servername: string): string {
  return `${servername.split('.')[0] ?? ''}-${randomBytes(6).toString('hex')}`;
}

/** A maker of session ids: the node's name, and a counter. */
export function sessionIds(node: string): () => string {
  let count = 0;
  return () => `${node}-${++count}`;
}
