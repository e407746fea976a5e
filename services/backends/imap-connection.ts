// One connection to an IMAP server (RFC 3501): a command at a time, names as the bytes they are, no wait without a bound.
//
// Why not imapflow (2.1.2 was tried on Cyrus 3.6): its connect() never comes back for an administrator, because it fails
// on a NAMESPACE answer without a personal one and then reads no further; it bounds silence, not time, so that a server
// which drips untagged lines holds it for ever; and it sends ID, NAMESPACE and ENABLE unasked.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { ImapFailure, kindOf } from './imap-failure.ts';
import type { FailureKind } from './imap-failure.ts';
import { ResponseReader, tagged } from './imap-response.ts';
import type { Answer, ResponseSource, Tagged } from './imap-response.ts';

/**
 * How long a server may be silent in the middle of an answer, in milliseconds. Before it begins with one it may have to wait
 * for others, as long as whoever asks has patience for; an end that never comes would keep a tree's mail waiting as long.
 */
const silence = 30_000;

/** After so long the system asks whether the other machine is still there, in milliseconds; ten seconds later it knows. */
const aliveAfter = 30_000;

/** Who waits: takes each response, and is told when there will be no more. */
interface Listener {
  take: (response: Bytes) => void;
  reject: (error: Error) => void;
}

export class ImapConnection {
  readonly #server: string;
  readonly #socket: Socket;
  readonly #reader: ResponseSource;
  readonly #closed: Promise<void>;
  #listener: Listener | undefined;
  #broken: ImapFailure | undefined;
  #silence: NodeJS.Timeout | undefined;
  #tags = 0;

  /** Begins to connect; what goes wrong is told to whoever waits next. Errors begin with `server`. */
  constructor(server: string, address: { host: string; port: number }, reader: ResponseSource = new ResponseReader()) {
    this.#server = server;
    this.#reader = reader;
    const socket = connect(address);
    this.#socket = socket.setNoDelay(true).setKeepAlive(true, aliveAfter).setEncoding('latin1');
    socket.on('data', (bytes) => {
      this.#received(bytes.toString());
    });
    socket.on('error', (error) => {
      this.broken(error.message);
    });
    this.#closed = new Promise((closed) => {
      socket.on('close', () => {
        this.broken('the server closed the connection');
        closed();
      });
    });
  }

  /** Does `work`, and breaks the connection when it takes more than `timeout` milliseconds in all, not in silence only. */
  async within<Result>(timeout: number, what: string, work: () => Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => {
      this.broken(`waited ${timeout} ms for ${what}`);
    }, timeout);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The greeting without its `* OK `; rejects on any other. To be asked for at once. */
  async greeting(): Promise<Bytes> {
    return this.#heard((response) => {
      const text = /^\* OK (.*)$/i.exec(response)?.[1];
      if (text === undefined) throw this.broken(`greets with ${shown(response)}`);
      return text;
    });
  }

  /**
   * Sends one command and gives the whole answer, whatever its status. One command at a time, and none ahead: Cyrus' imapd
   * leaves Nagle on, so that its second answer waits until the first one is acknowledged, which our kernel puts off by 40 ms
   * unless we send something (three SYNCGET took 5 ms one by one, and 44 ms at once). `secret` is what the
   * server's one `+` is answered with (AUTHENTICATE). Where there is a `take`, it gets each untagged response as it comes,
   * and the answer has none. Rejects on BYE, on what is no answer, and when the connection breaks; it is then of no more use.
   */
  async command(
    line: Bytes,
    { secret, take }: { secret?: Bytes; take?: (response: Bytes) => void } = {},
  ): Promise<Answer> {
    const tag = `R${(this.#tags += 1)}`;
    const untagged: Bytes[] = [];
    const keep = take ?? ((response: Bytes) => untagged.push(response));
    let wanted = secret;
    this.#reader.restart();
    if (!this.#broken) this.#socket.write(`${tag} ${line}\r\n`, 'latin1');
    return this.#heard((response) => {
      if (response.startsWith('* ')) {
        keep(response.slice(2));
        return undefined;
      }
      if (response.startsWith('+') && wanted !== undefined) {
        this.#socket.write(`${wanted}\r\n`, 'latin1');
        wanted = undefined;
        return undefined;
      }
      const last = tagged(response, tag);
      if (!last) throw this.broken(`answers with ${shown(response)}`);
      return { ...last, untagged };
    });
  }

  /** Breaks the connection, and gives the error that is told to whoever waits or asks from now on: the first one. */
  broken(reason: string, answer?: Tagged): ImapFailure {
    this.#broken ??= this.#failure(reason, 'away', answer);
    clearTimeout(this.#silence);
    this.#socket.destroy();
    this.#listener?.reject(this.#broken);
    this.#listener = undefined;
    return this.#broken;
  }

  /** What the server will not do, or has been asked for in vain; without an answer nobody has asked it. The connection stays. */
  refusal(reason: string, answer?: Tagged): ImapFailure {
    return this.#failure(reason, answer ? kindOf(answer) : 'refused', answer);
  }

  /** Resolves when the connection is over. */
  async end(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #failure(reason: string, kind: FailureKind, answer?: Tagged): ImapFailure {
    return new ImapFailure(`${this.#server}: ${reason}`, kind, answer);
  }

  /** What `result` first makes of a response; rejects with what it throws, and when the connection breaks. */
  #heard<Result>(result: (response: Bytes) => Result | undefined): Promise<Result> {
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const take = (response: Bytes): void => {
        const made = result(response);
        if (made === undefined) return;
        this.#listener = undefined;
        resolve(made);
      };
      this.#listener = { take, reject };
    });
  }

  #received(bytes: Bytes): void {
    clearTimeout(this.#silence);
    this.#reader.push(bytes);
    try {
      for (let response = this.#reader.next(); response !== undefined; response = this.#reader.next()) {
        this.#response(response);
      }
    } catch (error) {
      this.broken(error instanceof Error ? error.message : String(error));
    }
    if (this.#broken || !this.#reader.isAmid) return;
    this.#silence = setTimeout(() => {
      this.broken(`has been silent for ${silence} ms in the middle of an answer`);
    }, silence);
  }

  #response(response: Bytes): void {
    if (this.#broken) return;
    const bye = /^\* BYE ?(.*)$/i.exec(response);
    if (bye) throw this.broken(`says BYE: ${bye[1] ?? ''}`);
    if (this.#listener) this.#listener.take(response);
    // Untagged responses may come at any time (section 7); a second answer would be taken for that of the next command.
    else if (!response.startsWith('* ')) throw this.broken(`answers unasked with ${shown(response)}`);
  }
}

/** The beginning of a response, for an error message. */
function shown(response: Bytes): string {
  return JSON.stringify(readable(response.slice(0, 100)));
}
