// The grammar of RFC 3656 section 2, both directions: bytes in, commands (or a server's lines) out; nothing kept beyond its limits.
import type { Bytes } from '../directory/entry.ts';

/**
 * How much of a command is read, in octets. RFC 3656 section 2 asks for lines of at least 1,024 octets outside of
 * literals and for literals of at least 4,096. Cyrus reads 131,072 of each.
 */
export interface Limits {
  /** All of a command that is not in literals; an over-long one ends the connection. */
  line: number;
  /** One literal: a larger `{n}` is refused without go-ahead, a larger `{n+}`, which follows unasked, ends the connection. */
  literal: number;
  /** Literals of one command together. */
  command: number;
}

/** A whole command, or a whole line of a server, which has the same form. */
export interface Line {
  kind: 'line';
  tag: Bytes;
  /** As it was sent: RFC 3656 section 5 makes it case-insensitive. */
  verb: Bytes;
  strings: Bytes[];
  /** Whether anything but further strings followed them: then what came next was not kept. */
  junk: boolean;
}

export type Read =
  | Line
  /** A literal was announced by `{n}`: it comes when the client has seen a go-ahead. */
  | { kind: 'go-ahead' }
  /** A command that cannot be read, skipped to its end; `tag` is `*` and `verb` empty where there is none. */
  | { kind: 'bad'; tag: Bytes; verb: Bytes; text: string }
  | End;

/** What comes next is no command any more; `verb` as for the command in which it broke off. */
export interface End {
  kind: 'end';
  verb: Bytes;
  text: string;
}

/**
 * Reads one direction of a connection. Its caller gives it bytes by `push`, then calls `next` (or `rawLine`, where SASL
 * has the word) until nothing comes out. Modes: in a line, in a literal, and ended, from which nothing leads back.
 */
export class LineReader {
  limits: Limits;
  /** Whether atoms may stand for strings, as in a server's banner. */
  readonly #atoms: boolean;
  #input: Bytes = '';
  #at = 0;
  /** The line read so far, without its end. */
  #line: Bytes = '';
  /** The command read so far, once its first line ended in a literal. */
  #draft: Draft | undefined;
  #literal: { size: number; bytes: Bytes } | undefined;
  #ended = false;

  constructor(limits: Limits, options: { atoms?: boolean } = {}) {
    this.limits = limits;
    this.#atoms = options.atoms ?? false;
  }

  /** Takes the next bytes; what was pushed before must have been read by `next`. */
  push(bytes: Bytes): void {
    this.#input = this.#input.slice(this.#at) + bytes;
    this.#at = 0;
  }

  next(): Read | undefined {
    for (;;) {
      if (this.#literal && !this.#readLiteral()) return undefined;
      const line = this.#readLine();
      if (typeof line !== 'string') return line;
      const read = this.#take(line);
      if (read) return read;
    }
  }

  /** The next line as it is, without CRLF: a SASL response or challenge (RFC 3656 section 4.2). */
  rawLine(): { kind: 'raw'; bytes: Bytes } | End | undefined {
    const line = this.#readLine();
    return typeof line === 'string' ? { kind: 'raw', bytes: line } : line;
  }

  /** The verb of the command that has begun and is not whole yet; empty where it cannot be told. */
  get verb(): Bytes {
    return this.#draft?.verb ?? headOf(this.#line)?.verb ?? '';
  }

  #end(text: string): End {
    const { verb } = this;
    this.#ended = true;
    this.#line = '';
    this.#draft = undefined;
    return { kind: 'end', verb, text };
  }

  #readLiteral(): boolean {
    const literal = this.#literal;
    if (!literal) return true;
    const piece = this.#input.slice(this.#at, this.#at + literal.size - literal.bytes.length);
    this.#at += piece.length;
    literal.bytes += piece;
    if (literal.bytes.length < literal.size) return false;
    this.#literal = undefined;
    this.#draft?.string(literal.bytes);
    return true;
  }

  #readLine(): Bytes | End | undefined {
    if (this.#ended) return undefined;
    // A bare LF ends a line too, as at Cyrus.
    const end = this.#input.indexOf('\n', this.#at);
    const piece = this.#input.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#input.length : end + 1;
    this.#line += piece;
    if (this.#line.length + (this.#draft?.outside ?? 0) > this.limits.line) return this.#end('line too long');
    if (end < 0) return undefined;
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    return line;
  }

  /** Takes a line of a command; nothing comes out while a literal is to follow that nobody waits for. */
  #take(line: Bytes): Read | undefined {
    const draft = (this.#draft ??= new Draft(this.#atoms));
    const announced = draft.line(line);
    if (announced) {
      const held = this.#held(draft, announced);
      if (held !== 'refused') return held;
    }
    this.#draft = undefined;
    return draft.result();
  }

  /** Makes ready for a literal; `refused` ends the command here. */
  #held(draft: Draft, { size, waits }: Announcement): Read | undefined | 'refused' {
    if (size > this.limits.literal || size + draft.inLiterals > this.limits.command) {
      if (!waits) return this.#end('literal too large');
      draft.refuse('Literal too large');
      return 'refused';
    }
    // A client that waits reads the BAD instead of a go-ahead.
    if (waits && draft.broken) return 'refused';
    this.#literal = { size, bytes: '' };
    return waits ? { kind: 'go-ahead' } : undefined;
  }
}

interface Announcement {
  size: number;
  waits: boolean;
}

/** One command while it is being read. */
class Draft {
  outside = 0;
  inLiterals = 0;
  readonly #atoms: boolean;
  #tag: Bytes = '*';
  #verb: Bytes | undefined;
  readonly #strings: Bytes[] = [];
  #junk = false;
  #fault: string | undefined;

  constructor(atoms: boolean) {
    this.#atoms = atoms;
  }

  /** Whether the command has lost its meaning: its literals are still skipped, so that none is read as a command. */
  get broken(): boolean {
    return this.#junk || this.#fault !== undefined;
  }

  get verb(): Bytes {
    return this.#verb ?? '';
  }

  refuse(text: string): void {
    this.#fault ??= text;
  }

  string(bytes: Bytes): void {
    this.inLiterals += bytes.length;
    // RFC 3656 section 5: a string holds no NUL; Cyrus would end it there.
    if (bytes.includes('\0')) this.refuse('NUL in a string');
    if (!this.broken) this.#strings.push(bytes);
  }

  /** Reads a line of the command; the answer is the literal that its end announces. */
  line(line: Bytes): Announcement | undefined {
    this.outside += line.length;
    const rest = this.#verb === undefined ? this.#head(line) : line;
    const announced = rest === undefined ? undefined : this.#arguments(rest);
    return announced ?? (this.broken ? announcementIn(line) : undefined);
  }

  result(): Read {
    if (this.#fault !== undefined) return { kind: 'bad', tag: this.#tag, verb: this.verb, text: this.#fault };
    return { kind: 'line', tag: this.#tag, verb: this.verb, strings: this.#strings, junk: this.#junk };
  }

  /** Reads tag and verb, and gives what follows. The replies are those of Cyrus' master. */
  #head(line: Bytes): Bytes | undefined {
    this.#verb = '';
    const head = headOf(line);
    if (!head) {
      this.refuse('Need command');
      return undefined;
    }
    const { tag, verb } = head;
    this.#tag = tag;
    if (verb === '') {
      this.refuse('Null command');
      return undefined;
    }
    this.#verb = verb;
    return line.slice(tag.length + 1 + verb.length);
  }

  #arguments(text: Bytes): Announcement | undefined {
    for (let at = 0; at < text.length && !this.broken;) {
      const literal = matchAt(/ \{(\d+)(\+?)\}$/y, text, at);
      if (literal) return { size: Number(literal[1]), waits: literal[2] === '' };
      const quoted = matchAt(/ "([^"\\\r\0]*(?:\\[^\r\0][^"\\\r\0]*)*)"/y, text, at);
      const atom = this.#atoms && !quoted ? matchAt(/ ([^ "\0]+)/y, text, at) : undefined;
      if (quoted) this.#strings.push((quoted[1] ?? '').replace(/\\(.)/gs, '$1'));
      else if (atom) this.#strings.push(atom[1] ?? '');
      else this.#junk = true;
      at += (quoted ?? atom)?.[0].length ?? 0;
    }
    return undefined;
  }
}

/** The tag and the verb that a line begins with. */
function headOf(line: Bytes): { tag: Bytes; verb: Bytes } | undefined {
  const [, tag, verb] = /^([\x21\x23-\x27\x2a-\x7e]+) ([^\s"(){\0]*)/.exec(line) ?? [];
  return tag === undefined || verb === undefined ? undefined : { tag, verb };
}

/** The literal at the end of a line that is broken before it. */
function announcementIn(line: Bytes): Announcement | undefined {
  const [, size, plus] = /(?:^|\s)\{(\d+)(\+?)\}$/.exec(line) ?? [];
  return size === undefined ? undefined : { size: Number(size), waits: plus === '' };
}

function matchAt(pattern: RegExp, text: Bytes, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
