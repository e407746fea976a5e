// Cuts what SYNCGET answers into pieces as it arrives: the records of a mailbox come one by one, however many there are.
import type { Bytes } from '../address/bytes.ts';
import { valueEnd } from './imap-dlist.ts';
import type { ResponseSource } from './imap-response.ts';

/** The longest piece that is taken, in octets: a mailbox without its records, one record, any other response. */
const longestPiece = 4 * 1_048_576;

/**
 * `* MAILBOX %(UNIQUEID .. RECORD (%(UID 1 ..) %(UID 2 ..)))` becomes `* MAILBOX %(UNIQUEID ..)`, `* RECORD %(UID 1 ..)`,
 * `* RECORD %(UID 2 ..)`; every other response stays whole. So 100,000 records need no more memory than one.
 */
export class SyncReader implements ResponseSource {
  #received = '';
  /** Within the RECORD list of a mailbox. */
  #inRecords = false;

  get isAmid(): boolean {
    return this.#inRecords || this.#received !== '';
  }

  push(bytes: Bytes): void {
    this.#received += bytes;
  }

  restart(): void {
    // What is taken is bound by the piece and by time, not by the answer: it has as many records as there are messages.
  }

  next(): Bytes | undefined {
    const piece = this.#inRecords ? this.#record() : this.#response();
    if (piece === undefined && this.#received.length > longestPiece) throw new Error('more than we take');
    return piece;
  }

  #record(): Bytes | undefined {
    const from = /^ */.exec(this.#received)?.[0].length ?? 0;
    if (from === this.#received.length) return undefined;
    if (this.#received[from] === ')') return this.#endOfRecords(from + 1);
    const end = valueEnd(this.#received, from);
    return end === undefined ? undefined : `* RECORD ${this.#take(from, end)}`;
  }

  /** What follows the records in their mailbox is nothing that we ask for. */
  #endOfRecords(from: number): Bytes | undefined {
    const end = lineEnd(this.#received, from);
    if (end === undefined) return undefined;
    this.#take(0, end + 2);
    this.#inRecords = false;
    return this.#response();
  }

  #response(): Bytes | undefined {
    const head = this.#received.startsWith('* MAILBOX %(') ? headEnd(this.#received, '* MAILBOX %('.length) : 'whole';
    if (head === undefined) return undefined;
    if (head === 'whole') {
      const end = lineEnd(this.#received, 0);
      if (end === undefined) return undefined;
      const response = this.#take(0, end);
      this.#take(0, 2);
      return response;
    }
    const response = `${this.#take(0, head.keys)})`;
    this.#take(0, head.records - head.keys);
    this.#inRecords = true;
    return response;
  }

  #take(from: number, to: number): Bytes {
    const piece = this.#received.slice(from, to);
    this.#received = this.#received.slice(to);
    return piece;
  }
}

/** Where the line ends that begins at `from`, its literals passed by; undefined when it is not all there. */
function lineEnd(text: Bytes, from: number): number | undefined {
  for (let at = from; ;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const length = /\{(\d{1,10})\+?\}$/.exec(text.slice(at, end))?.[1];
    if (length === undefined) return end;
    at = end + 2 + Number(length);
    if (at > text.length) return undefined;
  }
}

/**
 * Where the keys of a mailbox end before its RECORD, and its records begin; `whole` when it has none; undefined when that
 * is not there yet to be seen.
 */
function headEnd(text: Bytes, from: number): { keys: number; records: number } | 'whole' | undefined {
  let at = from;
  for (let isKey = true; ; isKey = !isKey) {
    const space = at;
    while (text[at] === ' ') at += 1;
    if (at >= text.length) return undefined;
    if (text[at] === ')') return 'whole';
    const end = valueEnd(text, at);
    if (end === undefined) return undefined;
    if (isKey && text.slice(at, end) === 'RECORD') {
      if (end + 1 >= text.length) return undefined;
      if (text.startsWith(' (', end)) return { keys: space, records: end + 2 };
    }
    at = end;
  }
}
