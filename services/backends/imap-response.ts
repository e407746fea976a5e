// What an IMAP server says, taken apart (RFC 3501 section 9): no sockets here.
import type { Bytes } from '../address/bytes.ts';

export interface Tagged {
  status: 'OK' | 'NO' | 'BAD';
  /** What follows the status, a response code included. */
  text: Bytes;
}

/** The answer to one command: its last line, and the untagged responses before it without their `* `. */
export interface Answer extends Tagged {
  untagged: Bytes[];
}

/** What is taken from a server, in octets: a line of CAPABILITY has 1,300, and no answer that we ask for is long. */
const limits = { response: 65_536, answer: 1_048_576 };

/** Cuts what arrives into pieces that are handed on. */
export interface ResponseSource {
  push(bytes: Bytes): void;
  /** A new command begins. */
  restart(): void;
  /** The next piece without its line end; undefined when it is not all here. Throws when there is more than is taken. */
  next(): Bytes | undefined;
  /** Whether something has begun that is not all here. */
  readonly isAmid: boolean;
}

/** Cuts what arrives into responses: a line, and after each `{n}` at a line's end n octets and the rest of the line. */
export class ResponseReader implements ResponseSource {
  #received = '';
  #taken = 0;

  get isAmid(): boolean {
    return this.#received !== '';
  }

  push(bytes: Bytes): void {
    this.#received += bytes;
  }

  /** A new command: what comes from here on is counted anew. */
  restart(): void {
    this.#taken = 0;
  }

  /** The next response without its line end; undefined when it is not all here. Throws when it is longer than we take. */
  next(): Bytes | undefined {
    let from = 0;
    for (;;) {
      const end = this.#received.indexOf('\r\n', from);
      const length = end < 0 ? undefined : /\{(\d{1,9})\}$/.exec(this.#received.slice(from, end))?.[1];
      const next = end < 0 ? this.#received.length : length === undefined ? end : end + 2 + Number(length);
      if (next > limits.response || this.#taken + next > limits.answer) throw new Error('more than we take');
      if (end < 0 || next > this.#received.length) return undefined;
      if (length === undefined) {
        const response = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        this.#taken += end;
        return response;
      }
      from = next;
    }
  }
}

/** The last line of the answer to the command `tag`; undefined when it is none. */
export function tagged(response: Bytes, tag: string): Tagged | undefined {
  const [first, status = '', ...words] = response.split(' ');
  if (first !== tag) return undefined;
  const upper = status.toUpperCase();
  return upper === 'OK' || upper === 'NO' || upper === 'BAD' ? { status: upper, text: words.join(' ') } : undefined;
}

/** A quoted string: printable ASCII only, for there is no need of another. */
export function quoted(text: Bytes): Bytes {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

const astring = String.raw`(?:"((?:[^"\\\r\n]|\\["\\])*)"|\{\d+\}\r\n([^]*?)|([^\s"(){}]+))`;
const listPattern = new RegExp(String.raw`^LIST \(([^()]*)\) (?:NIL|"(?:[^"\\]|\\["\\])") ${astring}$`, 'i');
const rightsPattern = new RegExp(String.raw`^MYRIGHTS ${astring} (?:"[a-z0-9]*"|[a-z0-9]+)$`, 'i');

/** The name in a LIST response, and whether it is a mailbox rather than a level above some; undefined when malformed. */
export function listed(response: Bytes): { name: Bytes; mailbox: boolean } | undefined {
  const match = listPattern.exec(response);
  if (!match) return undefined;
  const [, attributes = '', ...name] = match;
  return { name: nameOf(name), mailbox: !/\\(?:Noselect|NonExistent)(?: |$)/i.test(attributes) };
}

/** The name in a MYRIGHTS response (RFC 4314 section 3.8); undefined when malformed. */
export function rightsOf(response: Bytes): Bytes | undefined {
  const match = rightsPattern.exec(response);
  return match ? nameOf(match.slice(1)) : undefined;
}

/** The separators in a NAMESPACE response (RFC 2342 section 5), each once. */
export function separatorsOf(response: Bytes): Bytes[] {
  const pairs = response.matchAll(/\("(?:[^"\\]|\\["\\])*" "((?:[^"\\]|\\["\\]))"/g);
  return [...new Set(Array.from(pairs, ([, separator = '']) => separator))];
}

function nameOf([inQuotes, literal, atom]: (Bytes | undefined)[]): Bytes {
  return inQuotes?.replace(/\\(["\\])/g, '$1') ?? literal ?? atom ?? '';
}
