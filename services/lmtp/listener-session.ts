// One MTA's session: smtp-server's connection, taught RFC 2033.
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import { BodyReader } from './listener-body.ts';
import { readMail, readRcpt, readXforward } from './listener-commands.ts';
import { LmtpParser } from './listener-parser.ts';
import type { SessionHost } from './listener-facts.ts';
import type { MailTransaction, SessionFacts } from './message-handler.ts';
import * as codes from './reply-codes.ts';
import { isPositive, plainText, wireText, type Reply } from './reply.ts';

/** Replies held for one write, in bytes; a client that pipelines is answered in few writes. */
const mostHeld = 16_384;

interface Open {
  transaction: MailTransaction;
  accepted: number;
}

export class LmtpSession extends SMTPConnection {
  readonly #host: SessionHost;
  #lhlo: Bytes | undefined;
  #open: Open | undefined;
  #reader: BodyReader | undefined;
  /** A reply is being worked out: the client is silent because of us. */
  #busy = false;
  #held = '';
  #mtaQueueId: Bytes = '';
  readonly #gone = new AbortController();

  constructor(server: SMTPServer, socket: Socket, id: string, host: SessionHost) {
    super(server, socket, { id });
    this.#host = host;
  }

  /** smtp-server's own waits 100 ms before it greets, to catch those who talk first; an MTA of ours is none of them. */
  override init(): void {
    this._setListeners(() => {
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
        messageEnd: (reader, next) => {
          this.#messageEnd(reader, next);
        },
        pause: (next) => {
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
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) this.#badCommand(codes.noControlCharacters);
    else if (this.#host.closing && this.#open === undefined) this.#endWith(codes.shuttingDown);
    else {
      const answer = this.#reply(line.trimEnd());
      if (answer instanceof Promise) {
        this.#busy = true;
        void answer.then((late) => {
          this.#busy = false;
          this.#answer(late);
          next();
        });
        return;
      }
      if (answer !== undefined) this.#answer(answer);
    }
    next();
  }

  /** The reply to a command; undefined when it has been given. A promise given here does not reject. */
  #reply(line: Bytes): Reply | Promise<Reply> | undefined {
    const space = line.indexOf(' ');
    const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
    const argument = space < 0 ? '' : line.slice(space + 1).trim();
    switch (verb) {
      case 'LHLO':
        return this.#lhloReply(argument);
      case 'MAIL':
        return this.#mailReply(line);
      case 'RCPT':
        return this.#rcptReply(line);
      case 'DATA':
        return argument === '' ? this.#dataReply() : codes.noArgument(verb);
      case 'RSET':
        if (argument !== '') return codes.noArgument(verb);
        this.#reset();
        return codes.ok;
      case 'XFORWARD':
        return this.#xforwardReply(argument);
      case 'NOOP':
        return codes.ok;
      case 'VRFY':
        return codes.cannotVerify;
      case 'QUIT':
        this.#endWith(codes.bye);
        return undefined;
      case 'HELO':
      case 'EHLO':
        return codes.lmtpOnly;
      default:
        this.#badCommand(codes.unknownCommand);
        return undefined;
    }
  }

  #lhloReply(argument: Bytes): Reply {
    // RFC 5321 section 4.5.3.1.2: 255 octets; what a name is made of is not judged, only that it is one word.
    if (!/^[!-~]{1,255}$/.test(argument)) return codes.lhloArgument;
    this.#reset();
    this.#lhlo = argument;
    const { servername, settings } = this.#host.facts;
    const size = settings.size_limit > 0 ? `SIZE ${settings.size_limit}` : 'SIZE';
    return codes.lhlo(servername, [
      'PIPELINING',
      'ENHANCEDSTATUSCODES',
      '8BITMIME',
      size,
      'IGNOREQUOTA',
      'XFORWARD IDENT',
    ]);
  }

  #xforwardReply(argument: Bytes): Reply {
    if (this.#open !== undefined) return codes.xforwardFirst;
    const read = readXforward(argument);
    if ('refusal' in read) return read.refusal;
    this.#mtaQueueId = read.ident;
    return codes.ok;
  }

  #mailReply(line: Bytes): Reply {
    if (this.#lhlo === undefined) return codes.lhloFirst;
    if (this.#open !== undefined) return codes.nestedMail;
    const read = readMail(line, this.#host.facts.settings);
    if ('refusal' in read) return this.#noted(read.refusal, line);
    const { id, remoteAddress: client } = this;
    const gone = this.#gone.signal;
    const facts: SessionFacts = { id, lhlo: this.#lhlo, client, mtaQueueId: this.#mtaQueueId, gone };
    this.#open = { transaction: this.#host.facts.handler.begin(read.sender, facts), accepted: 0 };
    return codes.senderOk;
  }

  #rcptReply(line: Bytes): Reply | Promise<Reply> {
    const open = this.#open;
    if (open === undefined) return codes.needMail;
    const { settings } = this.#host.facts;
    const read = readRcpt(line, settings);
    if ('refusal' in read) return this.#noted(read.refusal, line);
    const most = settings.recipients_limit;
    if (open.accepted >= most) return this.#noted(codes.tooManyRecipients(most), line);
    return this.#guarded(async () => {
      const said = await open.transaction.recipient(read.recipient);
      if (isPositive(said)) open.accepted++;
      return said;
    });
  }

  #dataReply(): Reply {
    if (this.#open === undefined || this.#open.accepted === 0) return codes.noRecipients;
    this.#reader = new BodyReader(this.#open.transaction.data(), this.#host.facts.settings.size_limit);
    (this._parser as LmtpParser).readBody(this.#reader);
    return codes.startData;
  }

  #messageEnd(reader: BodyReader, next: () => void): void {
    const recipients = this.#open?.accepted ?? 0;
    this.#busy = true;
    const answers = reader.replies(recipients).catch((error: unknown) => {
      this.#host.facts.log.error({ err: error, session: this.id }, 'message failed: told to come again');
      return Array.from({ length: recipients }, () => codes.localError);
    });
    void answers.then((replies) => {
      this.#busy = false;
      this.#reader = undefined;
      this.#open = undefined;
      this.#mtaQueueId = '';
      this._unrecognizedCommands = 0;
      for (const reply of replies) this.#answer(reply);
      if (this.#host.closing) this.#endWith(codes.shuttingDown);
      next();
    });
  }

  /** A promise of a reply that keeps what it promises: a failure of the handler is temporary for the recipient. */
  async #guarded(work: () => Promise<Reply>): Promise<Reply> {
    try {
      return await work();
    } catch (error) {
      this.#host.facts.log.error({ err: error, session: this.id }, 'recipient failed: told to come again');
      return codes.localError;
    }
  }

  #badCommand(reply: Reply): void {
    if (this._closing) return;
    this.#noted(reply);
    if (++this._unrecognizedCommands < this.#host.facts.settings.bad_commands_limit) this.#answer(reply);
    else this.#endWith(codes.tooManyErrors);
  }

  /**
   * A line in the log for what is refused before it gets to the handler. Only MAIL and RCPT are shown: other lines may
   * hold anything, also somebody's password.
   */
  #noted(reply: Reply, line?: Bytes): Reply {
    const client = { session: this.id, client: this.remoteAddress, lhlo: this.#lhlo };
    const said = { code: reply.code, dsn: reply.enhanced, text: readable(plainText(reply)) };
    const shown = line === undefined ? {} : { line: readable(line) };
    this.#host.facts.log.info({ event: 'refused', ...client, ...said, ...shown }, 'refused');
    return reply;
  }

  #answer(reply: Reply): void {
    this.#held += wireText(reply);
    if (this.#held.length > mostHeld) this.#flush();
  }

  #flush(): void {
    const text = this.#held;
    this.#held = '';
    if (text !== '' && this._socket.writable) this._socket.write(text, 'latin1');
  }

  /** The last reply of the session. */
  #endWith(reply: Reply): void {
    if (this._closing || this._closed) return;
    if (reply.code === 421) this.#noted(reply);
    this.#reset();
    this.#answer(reply);
    this.#flush();
    this.close();
  }

  /** The transaction comes to nothing; a message that is whole already goes its way. */
  #reset(): void {
    if (this.#reader === undefined) this.#open?.transaction.reset();
    else this.#reader.lost();
    this.#open = undefined;
    this.#mtaQueueId = '';
  }

  /** Ends the session now if nothing is under way in it, else at the end of what is (the server is closing). */
  drain(): void {
    if (this.#open === undefined && !this.#busy) this.#endWith(codes.shuttingDown);
  }

  #clientEnded(): void {
    this.#flush();
    this.#reset();
    this.close();
  }

  override _onTimeout(): void {
    if (this._closing) this._socket.destroy();
    else if (this.#busy || this.#reader?.waiting) this._armTimeout();
    else this.#endWith(codes.idleTooLong);
  }

  override _onClose(): void {
    if (!this._closed) this.#reset();
    super._onClose();
  }

  /** A reset by the client is how some end their sessions: no error of ours. */
  override _onError(error: Error): void {
    this.#host.facts.log.debug({ err: error, session: this.id }, 'client connection failed');
    this.close();
  }
}
