// A message as it comes over the wire: where it ends, and whether everybody would agree on that.

/** What a chunk was found to hold. */
export interface Scanned {
  /** Bytes of the message, to be passed on as they are. */
  body: Buffer;
  /** Once the final dot was read: the bytes behind it, which are commands. */
  rest: Buffer | undefined;
}

const cr = 13;
const lf = 10;
const dot = 46;
const nothing = Buffer.alloc(0);

/**
 * Lines of so many octets and more may be cut into pieces by whoever reads them (RFC 5321 section 4.5.3.1.6 allows 1,000).
 * Cyrus 3.6.1 does so at 8,189, and takes a lone dot in the last piece for the end of the message.
 */
const longLine = 8000;

/** What the bytes passed on so far end with, as one sees it who minds no CR: a line's start, a lone dot, or neither. */
type Border = 'line start' | 'lone dot' | 'text';

/**
 * Finds the end of one message: CRLF.CRLF and nothing else (RFC 5321 section 4.1.1.4); the CRLF of DATA itself counts as
 * the first. Bytes are looked at by native search only; a chunk is not copied unless the one before it ended in what may
 * be the beginning of the end.
 */
export class BodyScanner {
  /**
   * A server that takes a bare LF for a line's end, or drops bare CRs (Cyrus does both), would see the end of the message
   * where there is none, and take the text behind it for commands of ours. True once the message has such a line: LF, a
   * dot and LF, with any number of CRs between them; or a long line that ends in a dot. The bytes of the chunk that made
   * it true must not be passed on.
   */
  ambiguous = false;
  /** The message's size so far as RFC 1870 counts it: line ends as CRLF, without the dots of dot-stuffing. */
  octets = 0;
  /** The last bytes, not passed on yet: a beginning of CRLF.CRLF. */
  #held: Buffer = nothing;
  #border: Border = 'line start';
  #atStart = true;
  readonly #longLine: number;
  /** Octets passed on since the last LF, and the last of them that was no CR. */
  #lineOctets = 0;
  #lastOctet = lf;

  constructor(longest = longLine) {
    this.#longLine = longest;
  }

  scan(chunk: Buffer): Scanned {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const holdFrom = data.length - heldBack(data, this.#atStart);
    const end = this.#search(data, holdFrom);
    const body = data.subarray(0, end < 0 ? holdFrom : end);
    this.octets += body.length;
    this.#measureLines(body);
    if (end >= 0) return { body, rest: data.subarray(end + 3) };
    this.#held = data.subarray(holdFrom);
    this.#border = borderAfter(body, this.#border);
    if (body.length > 0) this.#atStart = false;
    return { body, rest: undefined };
  }

  /** The place of the final dot; -1 if there is none. Notes ambiguous ends before it, and takes stuffed dots off `octets`. */
  #search(data: Buffer, holdFrom: number): number {
    if (this.#border !== 'text' && this.#endsAtOnce(data, holdFrom)) return 0;
    let end = -1;
    for (let at = data.indexOf('\n.'); at >= 0 && end < 0; at = data.indexOf('\n.', at + 1)) {
      const afterCrlf = data[at - 1] === cr;
      const close = afterCrs(data, at + 2);
      if (data[close] === lf && afterCrlf && close === at + 3) end = at + 1;
      else if (data[close] === lf) this.ambiguous = true;
      else if (afterCrlf && at + 1 < holdFrom) this.octets--;
    }
    // Bare CRs between the line's start and its dot; in an honest message nothing is found here.
    for (let at = data.indexOf('\r.'); at >= 0 && (end < 0 || at < end); at = data.indexOf('\r.', at + 1)) {
      if (data[beforeCrs(data, at)] === lf && data[afterCrs(data, at + 2)] === lf) this.ambiguous = true;
    }
    return end;
  }

  /** Looks for long lines, in strides: in ordinary text a few short searches backward for each 64 KB. */
  #measureLines(body: Buffer): void {
    let start = -this.#lineOctets;
    for (let far = start + this.#longLine; far < body.length; far = start + this.#longLine) {
      const before = far < 0 ? -1 : body.lastIndexOf(lf, far);
      if (before >= Math.max(start, 0)) {
        start = before + 1;
        continue;
      }
      const end = body.indexOf(lf, Math.max(far, 0));
      if (end < 0) break;
      if ((body[beforeCrs(body, end - 1)] ?? this.#lastOctet) === dot) this.ambiguous = true;
      start = end + 1;
    }
    const last = body.lastIndexOf(lf);
    this.#lineOctets = last < 0 ? this.#lineOctets + body.length : body.length - 1 - last;
    this.#lastOctet = body[beforeCrs(body, body.length - 1)] ?? this.#lastOctet;
  }

  /** Looks at the beginning of `data`, whose line began in bytes passed on before; true for the end of an empty message. */
  #endsAtOnce(data: Buffer, holdFrom: number): boolean {
    const first = afterCrs(data, 0);
    const dotted = this.#border === 'lone dot' ? first : data[first] === dot ? afterCrs(data, first + 1) : -1;
    if (data[dotted] === lf) {
      if (this.#atStart && first === 0 && dotted === 2) return true;
      this.ambiguous = true;
    } else if (this.#atStart && data[0] === dot && holdFrom > 0) this.octets--;
    return false;
  }
}

/** How many bytes at the end of `data` may be the beginning of CRLF.CRLF, or of .CRLF at the message's start. */
function heldBack(data: Buffer, atStart: boolean): number {
  const length = data.length;
  if (atStart && data[0] === dot && (length === 1 || (length === 2 && data[1] === cr))) return length;
  for (let count = Math.min(4, length); count > 0; count--) {
    if (data.compare(terminator, 0, count, length - count) === 0) return count;
  }
  return 0;
}
const terminator = Buffer.from('\r\n.\r\n');

function borderAfter(body: Buffer, before: Border): Border {
  const last = beforeCrs(body, body.length - 1);
  if (last < 0) return before;
  if (body[last] === lf) return 'line start';
  if (body[last] !== dot) return 'text';
  const ahead = beforeCrs(body, last - 1);
  if (ahead < 0) return before === 'line start' ? 'lone dot' : 'text';
  return body[ahead] === lf ? 'lone dot' : 'text';
}

/** The first place from `at` on that is no CR. */
function afterCrs(data: Buffer, at: number): number {
  while (data[at] === cr) at++;
  return at;
}

/** The last place up to `at` that is no CR; -1 when there is none. */
function beforeCrs(data: Buffer, at: number): number {
  while (data[at] === cr) at--;
  return at;
}

/** Takes the dots of dot-stuffing off again (RFC 5321 section 4.5.2), for one who stores the message. */
export class DotRemover {
  /** The last two bytes so far; a message begins at the start of a line. */
  #before = '\r\n';

  remove(chunk: Buffer): Buffer {
    const text = this.#before + chunk.toString('latin1');
    const plain = text.replaceAll('\r\n.', '\r\n').slice(this.#before.length);
    this.#before = text.slice(-2);
    return Buffer.from(plain, 'latin1');
  }
}
