// The lists of Cyrus' replication protocol (SYNCGET's answers): `%(KEY value ...)`, `(value ...)`, strings. No sockets here.
import type { Bytes } from '../address/bytes.ts';

/** A string, NIL, a list, or the pairs of a `%(...)`. */
export type Dlist = Bytes | null | Dlist[] | DlistPairs;
export type DlistPairs = ReadonlyMap<Bytes, Dlist>;

/** An atom, a quoted string, or the beginning of a literal. */
const string = /"((?:[^"\\]|\\[^])*)"|\{(\d{1,10})\+?\}\r\n|([^\s"(){}%][^\s"(){}]*)/y;

/** Where the value that begins at `from` ends; undefined when it is not all there. Throws where no value can begin. */
export function valueEnd(text: Bytes, from: number): number | undefined {
  let depth = 0;
  let at = from;
  do {
    if (at >= text.length) return undefined;
    const char = text[at] ?? '';
    if (text.startsWith('%(', at)) {
      depth += 1;
      at += 2;
    } else if (char === '(' || char === ')') {
      depth += char === '(' ? 1 : -1;
      if (depth < 0) throw new Error('a list ends that has not begun');
      at += 1;
    } else if (char === ' ' && depth > 0) at += 1;
    else {
      const end = stringEnd(text, at);
      if (end === undefined) return undefined;
      at = end;
    }
  } while (depth > 0);
  return at;
}

function stringEnd(text: Bytes, at: number): number | undefined {
  string.lastIndex = at;
  const match = string.exec(text);
  if (!match) {
    // What begins like a string, or a `%(`, may only not be all there.
    if (/^(?:"|\{\d{0,10}(?:\+?(?:\}\r?)?)?$|%$)/.test(text.slice(at, at + 20))) return undefined;
    throw new Error('neither a string nor a list');
  }
  const end = string.lastIndex + Number(match[2] ?? 0);
  // An atom at the end of what is there may go on.
  const open = match[3] !== undefined && end === text.length;
  return open || end > text.length ? undefined : end;
}

/** The values in a text, which must be all there; throws where it is malformed. */
export function valuesOf(text: Bytes): Dlist[] {
  const reader = new Values(`${text} `);
  return reader.upTo('end');
}

class Values {
  readonly #text: Bytes;
  #at = 0;

  constructor(text: Bytes) {
    this.#text = text;
  }

  upTo(last: 'end' | ')'): Dlist[] {
    const values: Dlist[] = [];
    for (;;) {
      while (this.#text[this.#at] === ' ') this.#at += 1;
      const char = this.#text[this.#at];
      if (char === undefined || char === ')') {
        if ((char === undefined) !== (last === 'end')) throw new Error('a list does not end, or ends twice');
        this.#at += 1;
        return values;
      }
      values.push(this.#value(char));
    }
  }

  #value(char: string): Dlist {
    if (char === '(') {
      this.#at += 1;
      return this.upTo(')');
    }
    if (char === '%' && this.#text[this.#at + 1] === '(') {
      this.#at += 2;
      return pairsOf(this.upTo(')'));
    }
    return this.#string();
  }

  #string(): Bytes | null {
    string.lastIndex = this.#at;
    const [match, inQuotes, length, atom] = string.exec(this.#text) ?? [];
    if (match === undefined) throw new Error('neither a string nor a list');
    this.#at += match.length + Number(length ?? 0);
    if (this.#at > this.#text.length) throw new Error('a literal is cut off');
    if (atom !== undefined) return atom === 'NIL' ? null : atom;
    if (length !== undefined) return this.#text.slice(this.#at - Number(length), this.#at);
    return (inQuotes ?? '').replace(/\\([^])/g, '$1');
  }
}

function pairsOf(values: readonly Dlist[]): DlistPairs {
  const pairs = new Map<Bytes, Dlist>();
  for (let at = 0; at < values.length; at += 2) {
    const [key, value] = [values[at], values[at + 1]];
    if (typeof key !== 'string' || value === undefined) throw new Error('a key without a value');
    // Two records that have run into one would pass for one.
    if (pairs.has(key.toUpperCase())) throw new Error(`${key.slice(0, 40)} twice`);
    pairs.set(key.toUpperCase(), value);
  }
  return pairs;
}

/** The string of a key; throws where it has none. */
export function stringAt(pairs: DlistPairs, key: Bytes): Bytes {
  const value = pairs.get(key);
  if (typeof value === 'string') return value;
  throw new Error(`no ${key}`);
}

/** The number of a key; throws where it has none, or one that no computer counts exactly. */
export function numberAt(pairs: DlistPairs, key: Bytes): number {
  const text = stringAt(pairs, key);
  const number = Number(text);
  if (/^\d{1,19}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new Error(`${key} is ${text.slice(0, 40)}, which is no number that we know`);
}
