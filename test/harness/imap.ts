// A small IMAP client for tests: one command at a time, everything as byte strings.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Address } from './cyrus-config.ts';

export interface ImapAnswer {
  status: 'OK' | 'NO' | 'BAD';
  /** What follows the status word, a response code included. */
  text: string;
  /** The untagged responses without their `* `, literals in place (`{3}`, CRLF, three bytes). */
  untagged: string[];
}

/** A literal among the parts of a command. */
export interface Literal {
  literal: string;
}

const ANSWER_BOUND_MS = 30_000;

export class ImapClient {
  /** The server's greeting, without its `* `. */
  greeting = '';
  readonly #socket: Socket;
  #received = '';
  #ended = false;
  #tags = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(ANSWER_BOUND_MS, () =>
      socket.destroy(new Error(`the IMAP server was silent for ${ANSWER_BOUND_MS} ms`)),
    );
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      socket.emit('more');
    });
    socket.on('end', () => {
      this.#ended = true;
      socket.emit('more');
    });
  }

  static async connect(address: Address): Promise<ImapClient> {
    const socket = connect(address);
    await once(socket, 'connect');
    const client = new ImapClient(socket);
    client.greeting = (await client.#response()).slice(2);
    return client;
  }

  /** AUTHENTICATE PLAIN (RFC 4616); `authorizeAs` acts as somebody else. Throws when refused. */
  async login(user: string, password: string, authorizeAs = ''): Promise<this> {
    const plain = Buffer.from(`${authorizeAs}\0${user}\0${password}`, 'latin1').toString('base64');
    await this.ok('AUTHENTICATE PLAIN ', plain);
    return this;
  }

  /** Sends the parts as one command and gives the whole answer, whatever its status. */
  async command(...parts: (string | Literal)[]): Promise<ImapAnswer> {
    const tag = `T${(this.#tags += 1)}`;
    const line = parts.map((part) =>
      // LITERAL+ (RFC 7888): the server is not waited for.
      typeof part === 'string' ? part : `{${part.literal.length}+}\r\n${part.literal}`,
    );
    this.#socket.write(`${tag} ${line.join('')}\r\n`, 'latin1');
    const untagged: string[] = [];
    for (;;) {
      const response = await this.#response();
      const [first = '', status = ''] = response.split(' ', 2);
      if (first === tag && (status === 'OK' || status === 'NO' || status === 'BAD')) {
        return { status, text: response.slice(tag.length + status.length + 2), untagged };
      }
      if (first !== '*') throw new Error(`the IMAP server said '${response}' in answer to '${line.join('')}'`);
      untagged.push(response.slice(2));
    }
  }

  /** The same, and throws when the answer is not OK; gives the untagged responses. */
  async ok(...parts: (string | Literal)[]): Promise<string[]> {
    const { status, text, untagged } = await this.command(...parts);
    if (status !== 'OK')
      throw new Error(
        `${parts.map((part) => (typeof part === 'string' ? part : part.literal)).join('')}: ${status} ${text}`,
      );
    return untagged;
  }

  /** All messages of a mailbox, oldest first, as byte strings. */
  async messages(mailbox: string): Promise<string[]> {
    await this.ok('EXAMINE ', { literal: mailbox });
    const fetched = await this.ok('UID FETCH 1:* BODY.PEEK[]');
    return fetched.flatMap((response) => {
      const literal = /^\d+ FETCH .*BODY\[\] \{(\d+)\}\r\n/.exec(response);
      return literal === null ? [] : [response.slice(literal[0].length, literal[0].length + Number(literal[1]))];
    });
  }

  async logout(): Promise<void> {
    await this.ok('LOGOUT');
    this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** One response: a line, and after each `{n}` at a line's end, n bytes and the rest of the line. */
  async #response(): Promise<string> {
    let from = 0;
    for (;;) {
      const end = this.#received.indexOf('\r\n', from);
      const literal = end < 0 ? null : /\{(\d+)\}$/.exec(this.#received.slice(from, end));
      const next = literal === null ? end : end + 2 + Number(literal[1]);
      if (end < 0 || next > this.#received.length) await this.#more();
      else if (literal !== null) from = next;
      else {
        const response = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return response;
      }
    }
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Error(`the IMAP server closed the connection after '${this.#received}'`);
    await once(this.#socket, 'more');
  }
}
