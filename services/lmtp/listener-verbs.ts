// The commands of a session, each with its answer: who may say what, and when.
import type { Bytes } from '../directory/entry.ts';
import { AuthExchange, mechanismsOf, namesProved, type AuthFacts, type AuthStep } from './listener-auth.ts';
import type { BodyReader } from './listener-body.ts';
import { Client } from './listener-client.ts';
import type { Envelope } from './listener-envelope.ts';
import type { SessionHost } from './listener-facts.ts';
import { trustOf, type Trust } from './listener-trust.ts';
import { attributeNames, readTrace, readXforward } from './listener-xforward.ts';
import * as codes from './reply-codes.ts';
import type { Reply } from './reply.ts';

export interface Said {
  reply: Reply;
  /** To be told to the log: what was refused, and why. */
  about?: { line?: Bytes; why?: string };
  /** What follows is a message. */
  body?: BodyReader;
  /** To be done once the reply has been given. */
  then?: () => void;
}

/** `bad` counts against the client; `last` ends the session. */
export type Answer = Said | { bad: Reply; why?: string } | { last: Reply };

/** The connection, as the commands have to do with it. */
export interface Line {
  id: string;
  /** The client's address; empty on a Unix socket. */
  client: string;
  /** Aborted when the client is gone. */
  gone: AbortSignal;
  socket: () => unknown;
  tls: () => boolean;
  startTls: () => void;
}

export class Verbs {
  readonly #host: SessionHost;
  readonly #envelope: Envelope;
  readonly #line: Line;
  #client = new Client();
  /** AUTH is under way: the next line is the client's response. */
  #exchange: AuthExchange | undefined;

  constructor(host: SessionHost, envelope: Envelope, line: Line) {
    this.#host = host;
    this.#envelope = envelope;
    this.#line = line;
  }

  get lhlo(): Bytes | undefined {
    return this.#client.lhlo;
  }

  /** TLS has begun: nothing that the client has said counts any more (RFC 3207 section 4.2). */
  beginAnew(): void {
    this.#client = new Client();
  }

  transactionOver(): void {
    this.#client.forget();
  }

  /** A promise given here does not reject. */
  answer(line: Bytes): Answer | Promise<Answer> {
    if (this.#exchange !== undefined) return this.#authStep(this.#exchange.respond(line));
    const space = line.indexOf(' ');
    const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
    const argument = space < 0 ? '' : line.slice(space + 1).trim();
    switch (verb) {
      case 'LHLO':
        return this.#lhlo(argument);
      case 'MAIL':
        return this.#mail(line);
      case 'RCPT':
        return this.#rcpt(line);
      case 'DATA':
        return argument === '' ? this.#data() : { reply: codes.noArgument(verb) };
      case 'RSET':
        if (argument !== '') return { reply: codes.noArgument(verb) };
        this.#reset();
        return { reply: codes.ok };
      case 'XFORWARD':
        return this.#xforward(argument);
      case 'TRACE':
        return this.#trace(argument);
      case 'AUTH':
        return this.#auth(argument);
      case 'STARTTLS':
        return this.#startTls(argument);
      case 'NOOP':
        return { reply: codes.ok };
      case 'VRFY':
        return { reply: codes.cannotVerify };
      case 'QUIT':
        return { last: codes.bye };
      case 'HELO':
      case 'EHLO':
        return { reply: codes.lmtpOnly };
      // BDAT, BURL and XCLIENT have their place here.
      default:
        return { bad: codes.unknownCommand };
    }
  }

  #reset(): void {
    this.#envelope.reset();
    this.#client.forget();
  }

  get #trust(): Trust {
    const { door, facts } = this.#host;
    return trustOf(this.#line.client, this.#client.user, door.auth, facts.settings);
  }

  #lhlo(argument: Bytes): Said {
    // RFC 5321 section 4.5.3.1.2: 255 octets; what a name is made of is not judged, only that it is one word.
    if (!/^[!-~]{1,255}$/.test(argument)) return { reply: codes.lhloArgument };
    this.#reset();
    this.#client.lhlo = argument;
    return { reply: codes.lhlo(this.#host.facts.servername, this.#keywords()) };
  }

  /** What is offered to this client, now. */
  #keywords(): string[] {
    const { settings } = this.#host.facts;
    const mechanisms = this.#client.user === undefined ? mechanismsOf(this.#authFacts()) : [];
    return [
      ...['PIPELINING', 'ENHANCEDSTATUSCODES', '8BITMIME'],
      ...(settings.smtputf8 ? ['SMTPUTF8'] : []),
      settings.size_limit > 0 ? `SIZE ${settings.size_limit}` : 'SIZE',
      ...(this.#mayStartTls() ? ['STARTTLS'] : []),
      ...(mechanisms.length > 0 ? [`AUTH ${mechanisms.join(' ')}`] : []),
      ...['IGNOREQUOTA', 'TRACE'],
      ...(this.#trust.xforward ? [`XFORWARD ${attributeNames.join(' ')}`] : []),
    ];
  }

  #xforward(argument: Bytes): Said {
    if (!this.#trust.xforward) return { reply: codes.xforwardRefused, about: {} };
    if (this.#envelope.open) return { reply: codes.beforeMail('XFORWARD') };
    const read = readXforward(argument, this.#client.xforward);
    if ('refusal' in read) return { reply: read.refusal };
    this.#client.xforward = read.attributes;
    return { reply: codes.ok };
  }

  #trace(argument: Bytes): Said {
    if (this.#envelope.open) return { reply: codes.beforeMail('TRACE') };
    const read = readTrace(argument);
    if ('refusal' in read) return { reply: read.refusal };
    this.#client.traceId = read.traceId;
    return { reply: codes.traceOk(this.#line.id, read.traceId) };
  }

  #mail(line: Bytes): Said {
    const { settings } = this.#host.facts;
    if (this.#client.lhlo === undefined) return { reply: codes.lhloFirst };
    const { submit, believed } = this.#trust;
    if (!submit) return { reply: codes.loginFirst(settings.soft_noauth), about: { line } };
    const { id, client, gone } = this.#line;
    const session = () => this.#client.facts({ id, client, gone, tls: this.#line.tls() });
    const reply = this.#envelope.mail(line, session, believed);
    return reply === codes.senderOk || reply === codes.nestedMail ? { reply } : { reply, about: { line } };
  }

  #rcpt(line: Bytes): Said | Promise<Said> {
    const rcpt = this.#envelope.rcpt(line);
    if ('answer' in rcpt) {
      const { answer } = rcpt;
      return answer instanceof Promise ? answer.then((reply) => ({ reply })) : { reply: answer };
    }
    return rcpt.refusal === codes.needMail ? { reply: rcpt.refusal } : { reply: rcpt.refusal, about: { line } };
  }

  #data(): Said {
    const body = this.#envelope.data();
    return body === undefined ? { reply: codes.noRecipients } : { reply: codes.startData, body };
  }

  #mayStartTls(): boolean {
    return this.#host.door.tls === 'starttls' && !this.#line.tls();
  }

  #startTls(argument: Bytes): Answer {
    if (this.#host.door.tls === 'off') return { bad: codes.unknownCommand };
    if (argument !== '') return { reply: codes.noArgument('STARTTLS') };
    if (!this.#mayStartTls()) return { reply: codes.secureAlready };
    if (this.#envelope.open) return { reply: codes.beforeMail('STARTTLS') };
    return { reply: codes.startTls, then: this.#line.startTls };
  }

  #authFacts(): AuthFacts {
    const { settings } = this.#host.facts;
    return {
      settings,
      private: this.#line.tls() || this.#line.client === '',
      names: namesProved(this.#line.socket(), settings.lmtp_admins),
    };
  }

  #auth(argument: Bytes): Answer | Promise<Answer> {
    const { settings } = this.#host.facts;
    if (settings.users.size === 0 && settings.lmtp_admins.size === 0) return { bad: codes.unknownCommand };
    if (this.#client.lhlo === undefined) return { reply: codes.lhloFirst };
    if (this.#client.user !== undefined) return { reply: codes.authenticatedAlready };
    if (this.#envelope.open) return { reply: codes.beforeMail('AUTH') };
    const { step, exchange } = AuthExchange.begin(argument, this.#authFacts());
    this.#exchange = exchange;
    return this.#authStep(step);
  }

  #authStep(step: AuthStep): Answer | Promise<Answer> {
    const { reply } = step;
    if (!('username' in step) && !('reason' in step)) return { reply };
    this.#exchange = undefined;
    const { settings, log } = this.#host.facts;
    if ('username' in step) {
      const { id, client } = this.#line;
      log.info({ event: 'authenticated', session: id, client, user: step.username }, 'authenticated');
      this.#client.user = step.username;
      return { reply };
    }
    if (!step.failed) return { reply, about: { why: step.reason } };
    // Guessing takes time.
    return new Promise((resolve) => {
      setTimeout(resolve, settings.failedloginpause, { bad: reply, why: step.reason });
    });
  }
}
