// An IMAP response as the words and lists it is made of (RFC 3501 section 4): no sockets here.
import type { Bytes } from '../address/bytes.ts';

/** An atom or string; null for NIL; or a list of such. */
export type Word = Bytes | null | Word[];

const token = /(\()|(\))|"((?:[^"\\\r\n]|\\["\\])*)"|\{(\d{1,9})\}\r\n|([^\s"(){}]+)/y;

/** The words of a response; undefined where it is not made of words, or a list does not end. */
export function wordsOf(response: Bytes): Word[] | undefined {
  const lists: Word[][] = [[]];
  let at = 0;
  while (at < response.length) {
    if (response[at] === ' ') {
      at += 1;
      continue;
    }
    token.lastIndex = at;
    const match = token.exec(response);
    if (!match) return undefined;
    at = token.lastIndex;
    const [, opens, closes, inQuotes, length, atom] = match;
    if (opens !== undefined) lists.push([]);
    else if (closes !== undefined) {
      const list = lists.pop() ?? [];
      if (lists.length === 0) return undefined;
      lists.at(-1)?.push(list);
    } else if (length !== undefined) {
      lists.at(-1)?.push(response.slice(at, at + Number(length)));
      at += Number(length);
    } else lists.at(-1)?.push(atom === undefined ? unescaped(inQuotes ?? '') : /^nil$/i.test(atom) ? null : atom);
  }
  return lists.length === 1 && at === response.length ? lists[0] : undefined;
}

function unescaped(text: Bytes): Bytes {
  return text.replace(/\\(["\\])/g, '$1');
}

/** Words in twos, as an ACL or annotations come; undefined where they are no strings, or one is left over. */
export function pairsOf(words: readonly Word[]): [Bytes, Bytes | null][] | undefined {
  const pairs: [Bytes, Bytes | null][] = [];
  for (let at = 0; at < words.length; at += 2) {
    const [name, value] = [words[at], words[at + 1]];
    if (typeof name !== 'string' || value === undefined || Array.isArray(value)) return undefined;
    pairs.push([name, value]);
  }
  return pairs;
}

/** What follows `KEYWORD name` in the one untagged response of that kind about that name; undefined where none is sound. */
export function answerAbout(untagged: readonly Bytes[], keyword: string, name: Bytes): Word[] | undefined {
  for (const response of untagged) {
    const [first, second, ...rest] = wordsOf(response) ?? [];
    if (typeof first === 'string' && first.toUpperCase() === keyword && second === name) return rest;
  }
  return undefined;
}
