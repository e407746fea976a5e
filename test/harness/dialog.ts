// Plays a conversation from a file against a server: what the client sends, and what it must see, line by line.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Socket } from 'node:net';

// A file is read line by line; each line is one step on the connection chosen last (at first: the one without a name).
//   # remark            (and empty lines: nothing)
//   c: TEXT             the client sends TEXT and CRLF
//   c~ TEXT             the client sends TEXT with its escapes read, and nothing added
//   @repeat N TEXT      the client sends TEXT, with its escapes read, N times
//   s: TEXT             the next line of the server is exactly TEXT, with its escapes read
//   s~ REGEX            the next line of the server matches as a whole
//   s-- closed          the server closes, and has sent nothing more
//   c-- close           the client sends no more (FIN); the server's lines can still be read
//   [name]              the steps below are on the connection of that name, opened at its first step
// Escapes: \r \n \t \0 \\ \xNN. All text is bytes (Latin-1). What the server has sent unasked when the file ends is a failure.

/** How long one step may take, in milliseconds: ample for a loaded machine, short beside the runner's own limit. */
const stepWait = 10_000;

type Step = (connection: Connection) => Promise<void>;

/** The dialog files of a folder, in order. */
export function dialogFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.dialog'))
    .sort()
    .map((name) => join(folder, name));
}

/** Plays `file`; `connect` opens one connection each time it is called. Rejects at the first step that goes wrong. */
export async function runDialog(file: string, connect: () => Socket): Promise<void> {
  const connections = new Map<string, Connection>();
  let name = '';
  try {
    for (const [index, line] of readFileSync(file, 'latin1').split(/\r?\n/).entries()) {
      const place = `${file}:${index + 1}`;
      const chosen = /^\[([\w-]+)\]$/.exec(line)?.[1];
      if (chosen !== undefined) name = chosen;
      const step = chosen === undefined ? stepOf(line, place) : undefined;
      if (step === undefined) continue;
      const connection = connections.get(name) ?? new Connection(connect());
      connections.set(name, connection);
      await step(connection).catch((error: unknown) => {
        throw new assert.AssertionError({ message: `${place}: ${line}\n${(error as Error).message}` });
      });
    }
    for (const [which, connection] of connections) {
      assert.equal(connection.unread, '', `${file}: at the end, unasked on connection "${which}"`);
    }
  } finally {
    for (const connection of connections.values()) connection.destroy();
  }
}

function stepOf(line: string, place: string): Step | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  if (line === 's-- closed') return (connection) => connection.expectClosed();
  if (line === 'c-- close') return (connection) => connection.end();
  const repeat = /^@repeat (\d+) (.+)$/.exec(line);
  if (repeat) return (connection) => connection.send(unescaped(repeat[2] ?? '').repeat(Number(repeat[1])));
  const [mark, text] = [line.slice(0, 2), line.slice(3)];
  if (line.length > 2 && line[2] !== ' ') throw new Error(`${place}: no such step: ${line}`);
  switch (mark) {
    case 'c:':
      return (connection) => connection.send(`${text}\r\n`);
    case 'c~':
      return (connection) => connection.send(unescaped(text));
    case 's:':
      return (connection) => connection.expectLine(unescaped(text));
    case 's~':
      return (connection) => connection.expectLine(new RegExp(`^(?:${text})$`, 's'));
    default:
      throw new Error(`${place}: no such step: ${line}`);
  }
}

const letters: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|([rnt0\\]))/g,
    (_, hex: string | undefined, letter: string | undefined) =>
      hex === undefined ? (letters[letter ?? ''] ?? '') : String.fromCharCode(parseInt(hex, 16)),
  );
}

class Connection {
  /** What the server has sent and no step has asked for. */
  unread = '';
  readonly #socket: Socket;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.unread += text.toString();
      this.#wake();
    });
    const closed = (): void => {
      this.#closed = true;
      this.#wake();
    };
    socket.on('end', closed);
    socket.on('close', closed);
    // A reset is a way of closing; the step that waits says what was missing.
    socket.on('error', closed);
  }

  /** Resolves once the system has taken the bytes, or the server has closed: then a later step tells. */
  async send(bytes: string): Promise<void> {
    let taken = false;
    this.#socket.write(bytes, 'latin1', () => {
      taken = true;
      this.#wake();
    });
    await this.#until(() => taken || this.#closed, `the server to read ${bytes.length} bytes`);
  }

  async end(): Promise<void> {
    let ended = false;
    this.#socket.end(() => {
      ended = true;
      this.#wake();
    });
    await this.#until(() => ended || this.#closed, 'the server to read to the end');
  }

  async expectLine(expected: string | RegExp): Promise<void> {
    await this.#until(() => this.unread.includes('\n') || this.#closed, `a line like ${String(expected)}`);
    const end = this.unread.indexOf('\n');
    const raw = end < 0 ? this.unread : this.unread.slice(0, end + 1);
    this.unread = this.unread.slice(raw.length);
    const line = raw.endsWith('\r\n')
      ? raw.slice(0, -2)
      : `${raw} (not ended by CRLF${this.#closed ? ', closed' : ''})`;
    if (typeof expected === 'string') assert.equal(line, expected, `expected ${show(expected)}, got ${show(line)}`);
    else assert.match(line, expected, `expected ${String(expected)}, got ${show(line)}`);
  }

  async expectClosed(): Promise<void> {
    await this.#until(() => this.#closed || this.unread !== '', 'the server to close');
    assert.equal(this.unread, '', `expected the server to close, got ${show(this.unread.slice(0, 1000))}`);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #until(met: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + stepWait;
    // A little later than the deadline, for a timer may come a millisecond early.
    const timer = setTimeout(() => {
      this.#wake();
    }, stepWait + 10);
    while (!met() && Date.now() < deadline) await new Promise<void>((wake) => (this.#wake = wake));
    clearTimeout(timer);
    assert.ok(met(), `waited ${stepWait} ms for ${what}, got ${show(this.unread.slice(0, 1000))}`);
  }
}

function show(text: string): string {
  return JSON.stringify(text);
}
