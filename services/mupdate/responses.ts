// What a MUPDATE server says (RFC 3656 section 3): data lines, answers, the greeting.
import type { Change } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';

/** RFC 3656 sections 3.1 to 3.4. */
type Status = 'OK' | 'NO' | 'BAD' | 'BYE';

export function answer(tag: Bytes, status: Status, text: Bytes): Bytes {
  return `${tag} ${status} ${string(text)}\r\n`;
}

/** Untagged: the connection closes right after it (section 3.4). */
export function bye(text: Bytes): Bytes {
  return answer('*', 'BYE', text);
}

export const goAhead: Bytes = '+ go ahead\r\n';

/** A row as FIND, LIST and UPDATE show it; a tombstone, which only UPDATE shows, is reserved. */
export function row(tag: Bytes, entry: Pick<Entry, 'name' | 'state' | 'location' | 'acl'>): Bytes {
  if (entry.state === 'active') {
    return `${tag} MAILBOX ${literal(entry.name)} ${literal(entry.location)} ${literal(entry.acl)}\r\n`;
  }
  return `${tag} RESERVE ${literal(entry.name)} ${literal(entry.location)}\r\n`;
}

/** A change as UPDATE streams it: the state of the name after that change (section 4.11). */
export function changed(tag: Bytes, { name, state, location, acl }: Change): Bytes {
  return state === 'absent' ? `${tag} DELETE ${literal(name)}\r\n` : row(tag, { name, state, location, acl });
}

export interface Greeting {
  servername: string;
  version: string;
  mechanisms: readonly string[];
}

/**
 * Section 3.8, in Cyrus' shape and order: its clients stop reading at `* OK`. No STARTTLS and no COMPRESS are offered.
 */
export function greeting({ servername, version, mechanisms }: Greeting): Bytes {
  const offered = mechanisms.map((mechanism) => ` ${string(mechanism)}`).join('');
  const ok = ['Rookery', version, '(master)'].map((text) => ` ${string(text)}`).join('');
  return `* AUTH${offered}\r\n* PARTIAL-UPDATE\r\n* OK MUPDATE ${string(servername)}${ok}\r\n`;
}

/** Data always go as `{n+}`: Cyrus' clients expect it, and nobody waits for a go-ahead (section 2.2). */
export function literal(bytes: Bytes): Bytes {
  return `{${bytes.length}+}\r\n${bytes}`;
}

/** Quoted where section 2.2 allows it, else a literal. */
export function string(bytes: Bytes): Bytes {
  return /^[\x20-\x7e\t]*$/.test(bytes) ? `"${bytes.replace(/["\\]/g, '\\$&')}"` : literal(bytes);
}
