// The commands of RFC 3656 section 4, from lines to values; what is no command gets the BAD that Cyrus' master gives.
import type { Write } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Line } from './grammar.ts';

export type Command =
  | { verb: 'AUTHENTICATE'; mechanism: Bytes; initial: Bytes | undefined }
  | { verb: 'WRITE'; write: Write }
  | { verb: 'FIND'; name: Bytes }
  | { verb: 'LIST'; prefix: Bytes }
  | { verb: 'UPDATE'; hosts: readonly Bytes[] }
  | { verb: 'NOOP' }
  | { verb: 'LOGOUT' }
  | { verb: 'BAD'; text: string };

/** The least and the most strings of each command. COMPRESS and STARTTLS are not offered, hence unknown. */
const verbs: Readonly<Record<string, readonly [least: number, most: number]>> = {
  AUTHENTICATE: [1, 2],
  ACTIVATE: [3, 3],
  DEACTIVATE: [2, 2],
  DELETE: [1, 1],
  FIND: [1, 1],
  LIST: [0, 1],
  LOGOUT: [0, 0],
  NOOP: [0, 0],
  RESERVE: [2, 2],
  // PARTIAL-UPDATE: Cyrus takes 30 servers.
  UPDATE: [0, 30],
};

/**
 * Names and locations of Cyrus are copied into 1,024 octets with a NUL by its clients: a longer one would be cut there,
 * and stand for another mailbox.
 */
const longestName = 1023;

/** Whether the line's verb is one that this server knows, in any case (RFC 3656 section 5). */
export function isKnown(line: Line): boolean {
  return Object.hasOwn(verbs, line.verb.toUpperCase());
}

/**
 * Whether a verb is UPDATE, the one command that must never be refused in words: Cyrus' slave takes NO, BAD and BYE alike
 * for the end of the list, and deletes every name that it has not been told. Left without a line it keeps them and asks again.
 */
export function isUpdate(verb: Bytes): boolean {
  return verb.toUpperCase() === 'UPDATE';
}

/** The command of a line, or the BAD to answer. */
export function commandOf(line: Line): Command {
  const verb = line.verb.toUpperCase();
  const strings = line.strings;
  const [least, most] = verbs[verb] ?? [0, 0];
  if (!isKnown(line)) return bad('Unrecognized command');
  // Cyrus sees an atom in the place of the last string that must be there as something too much.
  if (line.junk ? strings.length < least - 1 : strings.length < least) return bad('Missing arguments');
  if (line.junk || strings.length > most) return bad('Extra arguments');
  const [first = '', second = '', third = ''] = strings;
  switch (verb) {
    case 'RESERVE':
    case 'ACTIVATE':
    case 'DEACTIVATE':
    case 'DELETE':
      return writeOf({ verb, name: first, location: second, acl: third });
    case 'AUTHENTICATE':
      return { verb, mechanism: first, initial: strings[1] };
    case 'FIND':
      return { verb, name: first };
    case 'LIST':
      return { verb, prefix: first };
    case 'UPDATE':
      return strings.includes('') ? bad('Badly formed arguments') : { verb, hosts: strings };
    default:
      return { verb: verb === 'NOOP' ? 'NOOP' : 'LOGOUT' };
  }
}

function writeOf(write: Write): Command {
  const { verb, name, location } = write;
  if (name === '') return bad('Empty name');
  if (name.length > longestName) return bad(`Name of ${name.length} octets: at most ${longestName}`);
  if (verb !== 'DELETE' && (location === '' || location.startsWith('!'))) return bad('Location without a server');
  if (location.length > longestName) return bad(`Location of ${location.length} octets: at most ${longestName}`);
  return { verb: 'WRITE', write };
}

function bad(text: string): Command {
  return { verb: 'BAD', text };
}
