// The socketmap protocol (socketmap_table(5)): requests `map key` and their answers, each in a netstring `5:a b c,`.
import type { Bytes } from '../address/bytes.ts';

/** One question: the map by its name, and what is looked up in it. */
export interface Request {
  map: Bytes;
  key: Bytes;
}

/** What may be answered. To Postfix `TEMP` and `PERM` are both "try again later" (451); other clients bounce at `PERM`. */
export type Answer =
  { status: 'OK'; value: Bytes } | { status: 'NOTFOUND' } | { status: 'TEMP' | 'PERM'; reason: Bytes };

/** What is next in the input: a question; a netstring that holds none (`unfit`); or no netstring (`malformed`): what follows it can't be told. */
export type Next = { request: Request } | { unfit: string } | { malformed: string };

/** Takes a client's bytes in pieces of any size, and gives the questions in them. */
export class RequestReader {
  readonly #limit: number;
  #held: Bytes = '';
  #at = 0;

  /** `limit`: the longest netstring taken, in octets, without its length and comma. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  take(piece: Bytes): void {
    this.#held = this.#held.slice(this.#at) + piece;
    this.#at = 0;
  }

  /** The next question; undefined where more bytes are needed. After `malformed` it is of no use any more. */
  next(): Next | undefined {
    const colon = this.#colon();
    if (typeof colon !== 'number') return colon;
    const length = Number(this.#held.slice(this.#at, colon));
    if (length > this.#limit) return { malformed: `a request is at most ${this.#limit} octets long` };
    const end = colon + 1 + length;
    if (this.#held.length <= end) return undefined;
    if (this.#held[end] !== ',') return { malformed: 'a request ends with a comma after as many octets as it says' };
    const text = this.#held.slice(colon + 1, end);
    this.#at = end + 1;
    return question(text);
  }

  /** Where the length ends: told from its first octets, for whoever speaks another protocol may never send a colon. */
  #colon(): number | Next | undefined {
    const digits = String(this.#limit).length;
    const head = this.#held.slice(this.#at, this.#at + digits + 1);
    if (head === '') return undefined;
    const length = /^(?:0|[1-9][0-9]*)(?=:|$)/.exec(head)?.[0].length;
    if (length === undefined) return { malformed: 'a request begins with its length and a colon' };
    if (length < head.length) return this.#at + length;
    return head.length > digits ? { malformed: `a request is at most ${this.#limit} octets long` } : undefined;
  }
}

function question(text: Bytes): Next {
  const space = text.indexOf(' ');
  if (space < 1) return { unfit: 'a request is the name of a map, a space and a key' };
  return { request: { map: text.slice(0, space), key: text.slice(space + 1) } };
}

/** The answer as it is sent. The space is there where nothing follows it, too. */
export function wireText(answer: Answer): Bytes {
  const said = answer.status === 'OK' ? answer.value : answer.status === 'NOTFOUND' ? '' : answer.reason;
  const text = `${answer.status} ${said}`;
  return `${text.length}:${text},`;
}
