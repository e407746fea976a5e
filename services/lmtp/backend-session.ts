// One connection to a backend: nodemailer's for connection, LHLO and AUTH; the mail transaction is our own.
import { connect, type Socket } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Address, LmtpAccess, TlsAccess } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendFailure, openingFailure } from './backend-failure.ts';
import type { Envelope, Offers } from './envelope.ts';
import { backendLost } from './reply-codes.ts';
import { isAnswer, isPositive, parseReply, type Reply } from './reply.ts';
import type { BackendSettings } from './settings.ts';
import { sessionReply } from './status-map.ts';

/** What the backend said to an envelope. */
export interface EnvelopeReplies {
  mail: Reply;
  /** As many as were asked; without PIPELINING they end with a refused MAIL. */
  rcpts: Reply[];
  /** Undefined when DATA was not sent, there being nothing accepted. */
  data: Reply | undefined;
}

type ReplyAction = (text: string) => void;

/** The largest reply read, in bytes: a real one has a few lines. */
const largestReply = 65_536;

export class BackendSession extends SMTPConnection implements Offers {
  readonly server: Bytes;
  /** The backend is in the midst of a transaction that came to nothing: RSET comes before the next. */
  dirty = false;
  /** Why the session is over; undefined while it is good. */
  failure: BackendFailure | undefined;
  /** Called once when the session is over. */
  onFailure: () => void = () => undefined;
  #keywords: ReadonlySet<string> = new Set();
  #reject: ((failure: BackendFailure) => void) | undefined;

  // Of the base class, which does not declare them; the conformance test sees to it that they stay.
  declare _responseQueue: string[];
  declare _responseActions: ReplyAction[];
  declare _supportedAuth: string[];
  declare _ehloLines: string[] | undefined;

  private constructor(server: Bytes, socket: Socket, access: LmtpAccess, name: string, settings: BackendSettings) {
    const { tls } = access;
    super({
      connection: socket,
      lmtp: true,
      name,
      logger: false,
      ...(tls === undefined ? { ignoreTLS: true } : tlsOptions(tls, server)),
      greetingTimeout: settings.connect_timeout,
      connectionTimeout: settings.connect_timeout,
      maxResponseSize: largestReply,
      socketCloseTimeout: 0,
    });
    this.server = server;
    // Without listeners a lost connection would end the process.
    this.on('error', (error: Error & { response?: string }) => {
      this.#over(error);
    });
    this.on('end', () => {
      this.#over(new Error('closed'));
    });
  }

  /**
   * A session ready for MAIL. Rejects with a BackendFailure after `connect_timeout` at the latest. `name` is what we call
   * ourselves in LHLO.
   */
  static async open(
    server: Bytes,
    address: Address,
    access: LmtpAccess,
    name: string,
    settings: BackendSettings,
  ): Promise<BackendSession> {
    const socket = connect(address);
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('connect_timeout'), { code: 'ETIMEDOUT' }));
    }, settings.connect_timeout);
    try {
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      const session = new BackendSession(server, socket, access, name, settings);
      await session.#greet(access);
      return session;
    } catch (error) {
      socket.destroy();
      throw openingFailure(error, server);
    } finally {
      clearTimeout(timer);
    }
  }

  async #greet(access: LmtpAccess): Promise<void> {
    const { username, password } = access;
    await new Promise<void>((resolve, reject) => {
      this.once('error', reject);
      this.connect((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
    this.#keywords = new Set(this._ehloLines?.map((line) => line.split(/[ =]/, 1)[0]?.toUpperCase() ?? ''));
    if (username !== undefined && password !== undefined && this._supportedAuth.includes('PLAIN')) {
      await new Promise<void>((resolve, reject) => {
        this.once('error', reject);
        this.login({ method: 'PLAIN', user: username, pass: password }, (error) => {
          if (error === null) resolve();
          else reject(withoutWords(error));
        });
      });
    }
    // Every wait from here on has its own deadline.
    this.socket.setTimeout(0);
  }

  /** Whether the backend has announced a keyword in LHLO (before AUTH: what it offers may go once it is used). */
  offers(keyword: string): boolean {
    return this.#keywords.has(keyword);
  }

  /** The socket, for the bytes of a message. */
  get socket(): Socket {
    return this._socket as Socket;
  }

  /** What follows a keyword in LHLO; empty where nothing does, or the keyword was not announced. */
  argumentsOf(keyword: string): string {
    const line = this._ehloLines?.find((one) => one.split(/[ =]/, 1)[0]?.toUpperCase() === keyword);
    return line?.slice(keyword.length + 1) ?? '';
  }

  /** The largest message it takes, as announced (RFC 1870), in octets; undefined where it has announced none. */
  get sizeLimit(): number | undefined {
    const limit = Number(this.argumentsOf('SIZE'));
    return limit > 0 ? limit : undefined;
  }

  /** Whether it still answers; never rejects. */
  async isAlive(): Promise<boolean> {
    const said = await this.#command('NOOP').catch(() => undefined);
    return said !== undefined && this.failure === undefined;
  }

  /**
   * MAIL, RCPTs and DATA: in one segment when the backend pipelines. Rejects with a BackendFailure when the session is
   * over, also by a 421.
   */
  async envelope({ prelude, mail, rcpts }: Envelope): Promise<EnvelopeReplies> {
    this.dirty = true;
    if (this.offers('PIPELINING')) {
      const said = await this.#commands([...prelude, mail, ...rcpts, 'DATA']);
      const first = prelude.length;
      return { mail: said[first] as Reply, rcpts: said.slice(first + 1, -1), data: said.at(-1) };
    }
    for (const line of prelude) await this.#command(line);
    const replies: EnvelopeReplies = { mail: await this.#command(mail), rcpts: [], data: undefined };
    if (!isPositive(replies.mail)) return replies;
    for (const rcpt of rcpts) replies.rcpts.push(await this.#command(rcpt));
    if (replies.rcpts.some(isPositive)) replies.data = await this.#command('DATA');
    return replies;
  }

  /** Clears a transaction that came to nothing. Rejects when the session is over, or will not be clean. */
  async clear(): Promise<void> {
    const said = await this.#command('RSET');
    if (!isPositive(said)) throw this.fail('RSET refused');
    this.dirty = false;
  }

  async #command(line: Bytes): Promise<Reply> {
    return (await this.#commands([line]))[0] as Reply;
  }

  async #commands(lines: readonly Bytes[]): Promise<Reply[]> {
    const replies: Reply[] = [];
    const read = this.read(lines.length, (reply) => replies.push(reply));
    if (this.failure === undefined) this.socket.write(`${lines.join('\r\n')}\r\n`, 'latin1');
    await read;
    // No answer, but to DATA, which is always the last: we have lost step, and must not send what it may wait for.
    const early = lines.at(-1) === 'DATA' ? replies.slice(0, -1) : replies;
    if (!early.every(isAnswer)) throw this.fail('it answers out of step');
    return replies;
  }

  /** Reads `count` replies, telling each as it comes. Rejects with a BackendFailure when the session is over before. */
  read(count: number, each: (reply: Reply, index: number) => void): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      let index = 0;
      const action = (text: string): void => {
        const reply = parseReply(text);
        if (reply === undefined) this.fail('it answers nonsense');
        else if (reply.code === 421) this.#over(new BackendFailure(sessionReply(reply, this.server), { gone: true }));
        else each(reply, index++);
        if (index < count || this.failure !== undefined) return;
        this.#reject = undefined;
        resolve();
      };
      for (let turn = 0; turn < count; turn++) this._responseActions.push(action);
    });
  }

  /** Ends the session at once, in the midst of whatever it is: no final dot, no QUIT. */
  fail(why: Bytes): BackendFailure {
    return this.#over(new BackendFailure(backendLost(this.server, why)));
  }

  /** Says QUIT; the session is over when the backend has answered it, or after `graceMs` milliseconds. */
  async leave(graceMs: number): Promise<void> {
    if (this.failure !== undefined) return;
    const timer = setTimeout(() => this.fail('QUIT not answered'), graceMs);
    await new Promise<void>((resolve) => {
      this.onFailure = resolve;
      this.quit();
    });
    clearTimeout(timer);
  }

  #over(error: Error & { response?: string }): BackendFailure {
    if (this.failure !== undefined) return this.failure;
    this.failure = error instanceof BackendFailure ? error : this.#failureOf(error);
    this.close();
    this.#reject?.(this.failure);
    this.onFailure();
    return this.failure;
  }

  #failureOf(error: Error & { response?: string }): BackendFailure {
    const unasked = error.response === undefined ? undefined : parseReply(error.response);
    if (unasked !== undefined)
      return new BackendFailure(sessionReply(unasked, this.server), { gone: unasked.code === 421 });
    return new BackendFailure(backendLost(this.server, 'connection lost'), { gone: true });
  }

  /**
   * Gives each whole reply to who waits for it. The base class decodes replies as UTF-8, which loses bytes, and spends a
   * turn of the event loop on each.
   */
  _processResponse(): void {
    while (this._responseQueue.length > 0 && this.failure === undefined) {
      const text = this._responseQueue.shift() ?? '';
      if (text.trim() === '') continue;
      const action = this._responseActions.shift();
      if (action === undefined) this.#unasked(text);
      else action.call(this, text);
    }
  }

  /** A reply that nobody waits for: a farewell (421), or we have lost step with the backend. */
  #unasked(text: string): void {
    const reply = parseReply(text);
    this.#over(
      reply?.code === 421
        ? new BackendFailure(sessionReply(reply, this.server), { gone: true })
        : new BackendFailure(backendLost(this.server, 'it answers unasked')),
    );
  }
}

/** `starttls` is never left out for want of the server's offer: somebody in between could take it away. */
function tlsOptions({ mode, ca, name, verify }: TlsAccess, server: Bytes) {
  return {
    ...(mode === 'implicit' ? { secure: true } : { secure: false, requireTLS: true }),
    tls: { servername: name ?? server, rejectUnauthorized: verify, ...(ca !== undefined && { ca }) },
  };
}

/** A refusal of AUTH without its text: some servers say again what they were sent, and this goes to the MTA and the log. */
function withoutWords(error: Error & { response?: string | undefined }): Error {
  const said = parseReply(error.response ?? '');
  if (said !== undefined) error.response = `${said.code} ${said.enhanced} (to AUTH)`.replace('  ', ' ');
  return error;
}
