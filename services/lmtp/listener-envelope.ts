// The mail transaction of a session: MAIL, RCPT, DATA and what comes of them, in their order.
import type { Bytes } from '../directory/entry.ts';
import { BodyReader } from './listener-body.ts';
import { readMail, readRcpt } from './listener-commands.ts';
import type { SessionHost } from './listener-facts.ts';
import type { MailTransaction, SessionFacts } from './message-handler.ts';
import * as codes from './reply-codes.ts';
import { isPositive, type Reply } from './reply.ts';

interface Open {
  transaction: MailTransaction;
  smtputf8: boolean;
  believed: boolean;
  accepted: number;
}

export class Envelope {
  readonly #host: SessionHost;
  /** Names the session in the log. */
  readonly #id: string;
  #open: Open | undefined;
  #reader: BodyReader | undefined;

  constructor(host: SessionHost, id: string) {
    this.#host = host;
    this.#id = id;
  }

  /** Between MAIL and the last reply. */
  get open(): boolean {
    return this.#open !== undefined;
  }

  /** The client is silent because the message is not taken from it. */
  get waiting(): boolean {
    return this.#reader?.waiting === true;
  }

  mail(line: Bytes, session: () => SessionFacts, believed: boolean): Reply {
    if (this.#open !== undefined) return codes.nestedMail;
    const { settings, handler } = this.#host.facts;
    const read = readMail(line, settings, believed);
    if ('refusal' in read) return read.refusal;
    const transaction = handler.begin(read.sender, session());
    this.#open = { transaction, accepted: 0, smtputf8: read.sender.smtputf8, believed };
    return codes.senderOk;
  }

  /** A promise given here does not reject: a failure of the handler is temporary for the recipient. */
  rcpt(line: Bytes): { refusal: Reply } | { answer: Reply | Promise<Reply> } {
    const open = this.#open;
    if (open === undefined) return { refusal: codes.needMail };
    const { settings } = this.#host.facts;
    const read = readRcpt(line, settings, open);
    if ('refusal' in read) return read;
    const most = settings.recipients_limit;
    if (open.accepted >= most) return { refusal: codes.tooManyRecipients(most) };
    const counted = (said: Reply): Reply => {
      if (isPositive(said)) open.accepted++;
      return said;
    };
    const failed = (error: unknown): Reply => this.#failed(error, 'recipient');
    try {
      const answer = open.transaction.recipient(read.recipient);
      return { answer: answer instanceof Promise ? answer.then(counted).catch(failed) : counted(answer) };
    } catch (error) {
      return { answer: failed(error) };
    }
  }

  /** What takes the message; undefined without a recipient (RFC 2033 section 4.2). */
  data(): BodyReader | undefined {
    if (this.#open === undefined || this.#open.accepted === 0) return undefined;
    this.#reader = new BodyReader(this.#open.transaction.data(), this.#host.facts.settings.size_limit);
    return this.#reader;
  }

  /** The final dot was read. Resolves to a reply for every recipient accepted; the transaction is over then. */
  async end(reader: BodyReader): Promise<readonly Reply[]> {
    const recipients = this.#open?.accepted ?? 0;
    const replies = await reader.replies(recipients).catch((error: unknown) => {
      const failed = this.#failed(error, 'message');
      return Array.from({ length: recipients }, () => failed);
    });
    this.#reader = undefined;
    this.#open = undefined;
    return replies;
  }

  /** The transaction comes to nothing; a message that is whole already goes its way. */
  reset(): void {
    if (this.#reader === undefined) this.#open?.transaction.reset();
    else this.#reader.lost();
    this.#open = undefined;
  }

  #failed(error: unknown, what: string): Reply {
    this.#host.facts.log.error({ err: error, session: this.#id }, `${what} failed: told to come again`);
    return codes.localError;
  }
}
