// One MTA's session: smtp-server's connection, taught RFC 2033.
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { BodyReader } from './listener-body.ts';
import { Envelope } from './listener-envelope.ts';
import { Hearing } from './hearing.ts';
import { LmtpParser } from './listener-parser.ts';
import type { SessionHost } from './listener-facts.ts';
import { Verbs, type Answer } from './listener-verbs.ts';
import * as codes from './reply-codes.ts';
import { plainText, wireText, type Reply } from './reply.ts';

/** Replies held for one write, in bytes; a client that pipelines is answered in few writes. */
const mostHeld = 16_384;

export class LmtpSession extends SMTPConnection {
  readonly #host: SessionHost;
  readonly #envelope: Envelope;
  readonly #verbs: Verbs;
  readonly #hearing = new Hearing();
  /** A reply is being worked out: the client is silent because of us. */
  #busy = false;
  #held = '';
  readonly #gone = new AbortController();
  /** While its handshake lasts; the connection below must not be torn away from under it. */
  #handshake: Socket | undefined;

  constructor(server: SMTPServer, socket: Socket, about: { id: string; remoteAddress?: string }, host: SessionHost) {
    super(server, socket, about);
    this.#host = host;
    this.#envelope = new Envelope(host, this.id);
    this.#verbs = new Verbs(host, this.#envelope, {
      ...{ id: this.id, client: this.remoteAddress, gone: this.#gone.signal },
      socket: () => this._socket,
      tls: () => this.secure,
      startTls: () => {
        this.#startTls();
      },
    });
  }

  /** smtp-server's own waits 100 ms before it greets, to catch those who talk first; an MTA of ours is none of them. */
  override init(): void {
    this._setListeners(() => {
      this.#handshake = undefined;
      if (!this.#host.mayOpen()) {
        this.#endWith(codes.tooManySessions);
        return;
      }
      this._ready = true;
      this.#answer(codes.greeting(this.#host.facts.servername));
      this.#flush();
    });
  }

  // Called by the base class before this class has its fields: nothing but closures here.
  override _createParser(): LmtpParser {
    return new LmtpParser(
      {
        command: (line, next) => {
          this._onCommand(line, next);
        },
        lineTooLong: () => {
          this.#badCommand(codes.lineTooLong);
        },
        messageEnd: (reader, ahead, next) => {
          this.#messageEnd(reader, ahead, next);
        },
        pause: (next) => {
          this.#hearing.caughtUp();
          this.#flush();
          this._whenWritable(next);
        },
        left: () => {
          this.#gone.abort();
        },
        end: () => {
          this.#clientEnded();
        },
      },
      this._server.options.maxCommandLength ?? Infinity,
    );
  }

  override _onCommand(command: Buffer, next: () => void = () => undefined): void {
    const line = command.toString('latin1');
    this.#hearing.command();
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) this.#badCommand(codes.noControlCharacters);
    else if (this.#host.closing && !this.#envelope.open) this.#endWith(codes.shuttingDown);
    else {
      const answer = this.#verbs.answer(line.trimEnd());
      if (answer instanceof Promise) {
        this.#busy = true;
        void answer.then((late) => {
          this.#busy = false;
          this.#give(late);
          if (this.#host.closing) this.drain();
          next();
        });
        return;
      }
      this.#give(answer);
    }
    next();
  }

  #give(answer: Answer): void {
    if ('bad' in answer) {
      this.#badCommand(answer.bad, answer);
      return;
    }
    if ('last' in answer) {
      this.#endWith(answer.last);
      return;
    }
    const { reply, about, body, then } = answer;
    if (about !== undefined) this.#noted(reply, about);
    if (body !== undefined) (this._parser as LmtpParser).readBody(body);
    this.#answer(reply);
    then?.();
  }

  /** Everything answered so far goes out in the clear; what came behind the command is dropped with the old parser. */
  #startTls(): void {
    this.#flush();
    this.upgrade(
      () => undefined,
      () => {
        this.#handshake = undefined;
        this.#verbs.beginAnew();
      },
    );
  }

  #messageEnd(reader: BodyReader, ahead: boolean, next: () => void): void {
    this.#busy = true;
    const answered = this.#envelope.end(reader).then((replies) => {
      this.#busy = false;
      this.#verbs.transactionOver();
      this._unrecognizedCommands = 0;
      for (const reply of replies) this.#answer(reply);
      this.#hearing.told(reader, { ahead, left: this._closed || this.#gone.signal.aborted });
      if (this.#host.closing) this.#endWith(codes.shuttingDown);
      next();
    });
    this.#host.answering(answered);
  }

  #badCommand(reply: Reply, about?: { why?: string }): void {
    if (this._closing) return;
    this.#noted(reply, about);
    if (++this._unrecognizedCommands < this.#host.facts.settings.bad_commands_limit) this.#answer(reply);
    else this.#endWith(codes.tooManyErrors);
  }

  /**
   * A line in the log for what is refused before it gets to the handler. Only MAIL and RCPT are shown: other lines may
   * hold anything, also somebody's password.
   */
  #noted(reply: Reply, about: { line?: Bytes; why?: string } = {}): void {
    const client = { session: this.id, client: this.remoteAddress, lhlo: this.#verbs.lhlo };
    const said = { code: reply.code, dsn: reply.enhanced, text: readable(plainText(reply)) };
    const { line, why } = about;
    const shown = { ...(line !== undefined && { line: readable(line) }), ...(why !== undefined && { why }) };
    this.#host.facts.log.info({ event: 'refused', ...client, ...said, ...shown }, 'refused');
  }

  #answer(reply: Reply): void {
    this.#held += wireText(reply);
    if (this.#held.length > mostHeld) this.#flush();
  }

  #flush(): void {
    const text = this.#held;
    this.#held = '';
    if (text === '' || !this._socket.writable) return;
    this._socket.write(text, 'latin1');
    (this._parser as LmtpParser).turn = performance.now();
  }

  /** The last reply of the session. */
  #endWith(reply: Reply): void {
    if (this._closing || this._closed) return;
    this.#hearing.saidLast();
    if (reply.code === 421) this.#noted(reply);
    this.#reset();
    if (this.#handshake !== undefined) {
      // Nobody can be told in the midst of it.
      this.#handshake.destroy();
      return;
    }
    this.#answer(reply);
    this.#flush();
    this.close();
  }

  #reset(): void {
    this.#envelope.reset();
    this.#verbs.transactionOver();
  }

  /** Ends the session now if nothing is under way in it, else at the end of what is (the server is closing). */
  drain(): void {
    if (!this.#envelope.open && !this.#busy) this.#endWith(codes.shuttingDown);
  }

  /** Since when the client has been silent although it is its turn; undefined where it is not, or the session ends. */
  get silentSince(): number | undefined {
    if (this._closing || this._closed || !this._ready || this.#busy || this.#envelope.waiting) return undefined;
    return (this._parser as LmtpParser).turn;
  }

  /** Makes room for another session. */
  giveWay(): void {
    this.#endWith(codes.tooManySessions);
    this._socket.destroy();
  }

  /** Ends the session now, whatever is under way in it. */
  cutOff(): void {
    if (!this.#busy) this.#endWith(codes.shuttingDown);
    (this.#handshake ?? this._socket).destroy();
  }

  #clientEnded(): void {
    this.#flush();
    this.#hearing.over(true);
    this.#reset();
    this.close();
  }

  /** The socket that is not the session's yet is one that TLS begins on. */
  override _armTimeout(socket: Socket = this._socket): void {
    super._armTimeout(socket);
    if (socket === this._socket) return;
    this.#handshake = socket;
    // Not put off by a byte now and then, as the idle timeout is.
    const late = setTimeout(() => {
      if (this.#handshake === socket) socket.destroy(new Error('the TLS handshake takes too long'));
    }, this.#host.facts.settings.handshake_timeout);
    socket.once('secure', () => {
      clearTimeout(late);
    });
    socket.once('close', () => {
      clearTimeout(late);
    });
  }

  override _onTimeout(): void {
    if (this._closing) this._socket.destroy();
    else if (this.#busy || this.#envelope.waiting) this._armTimeout();
    else this.#endWith(codes.idleTooLong);
  }

  override _onClose(): void {
    const first = !this._closed;
    if (first) this.#reset();
    this.#hearing.over(this.#gone.signal.aborted);
    super._onClose();
    if (first) this.#host.over();
  }

  /** A reset by the client is how some end their sessions: no error of ours. */
  override _onError(error: Error): void {
    const { log } = this.#host.facts;
    const about = { err: error, session: this.id, client: this.remoteAddress };
    if (this.#handshake === undefined) log.debug(about, 'client connection failed');
    else log.info({ event: 'refused', ...about }, 'TLS failed');
    this.#handshake = undefined;
    this.#hearing.broken();
    this.close();
  }
}
