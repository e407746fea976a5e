// The demonstration's backend: a real LMTP server that stores messages in Maildirs on disk.
import { type RecipientSettings, targetOf } from '../../services/address/recipient.ts';
import type { Address } from '../../services/backends/registry.ts';
import type { Bytes } from '../../services/directory/entry.ts';
import { type Log, LmtpListener } from '../../services/lmtp/listener.ts';
import { DotRemover } from '../../services/lmtp/message-body.ts';
import type { MailTransaction, MessageSink, Recipient, Sender } from '../../services/lmtp/message-handler.ts';
import { localError, recipientOk, unknownUser } from '../../services/lmtp/reply-codes.ts';
import { type Reply, reply } from '../../services/lmtp/reply.ts';
import { lmtpDefaults, type LmtpSettings } from '../../services/lmtp/settings.ts';
import { type MaildirMessage, Maildirs } from './maildir.ts';

export interface MaildirBackendOptions {
  /** The server part of its locations. */
  name: string;
  /** Where it keeps its mail; made when it is missing. */
  folder: string;
  /** Default: a free port on 127.0.0.1. */
  address?: Address;
  /** How recipients are read; the same as the proxy's, or the two would mean different mailboxes. */
  recipients: RecipientSettings;
  settings?: Partial<LmtpSettings>;
  log: Log;
}

/** How long sessions may take to end, in milliseconds, when the backend is stopped. */
const GRACE_MS = 5_000;

export class MaildirBackend {
  readonly name: string;
  /** Where it listens, the port it was given included. */
  readonly address: Address;
  readonly maildirs: Maildirs;
  readonly #listener: LmtpListener;

  private constructor(name: string, address: Address, maildirs: Maildirs, listener: LmtpListener) {
    this.name = name;
    this.address = address;
    this.maildirs = maildirs;
    this.#listener = listener;
  }

  /** Resolves when it listens. Its mailboxes are made with `maildirs.create`: mail to any other is refused. */
  static async start(options: MaildirBackendOptions): Promise<MaildirBackend> {
    const { name, recipients, log } = options;
    const maildirs = await Maildirs.open(options.folder);
    const listener = new LmtpListener({
      servername: name,
      settings: { ...lmtpDefaults, ...options.settings },
      handler: { begin: (sender) => new Delivery(maildirs, recipients, sender, log) },
      log,
    });
    const address = await listener.listen(options.address ?? { host: '127.0.0.1', port: 0 });
    return new MaildirBackend(name, address, maildirs, listener);
  }

  async stop(): Promise<void> {
    await this.#listener.close(GRACE_MS);
  }
}

class Delivery implements MailTransaction {
  readonly #maildirs: Maildirs;
  readonly #recipients: RecipientSettings;
  readonly #sender: Sender;
  readonly #log: Log;
  readonly #mailboxes: Bytes[] = [];

  constructor(maildirs: Maildirs, recipients: RecipientSettings, sender: Sender, log: Log) {
    this.#maildirs = maildirs;
    this.#recipients = recipients;
    this.#sender = sender;
    this.#log = log;
  }

  async recipient(recipient: Recipient): Promise<Reply> {
    const { mailbox } = targetOf(recipient.path, this.#recipients);
    if (mailbox === '' || !(await this.#maildirs.has(mailbox))) return unknownUser;
    this.#mailboxes.push(mailbox);
    return recipientOk;
  }

  data(): MessageSink {
    return new Storing(this.#maildirs, this.#sender, this.#mailboxes, this.#log);
  }

  reset(): void {
    this.#mailboxes.length = 0;
  }
}

class Storing implements MessageSink {
  readonly #mailboxes: readonly Bytes[];
  readonly #log: Log;
  readonly #dots = new DotRemover();
  readonly #message: Promise<MaildirMessage>;
  #failure: unknown;

  constructor(maildirs: Maildirs, sender: Sender, mailboxes: readonly Bytes[], log: Log) {
    this.#mailboxes = mailboxes;
    this.#log = log;
    // RFC 5321 section 4.4: final delivery puts the return path in front.
    this.#message = maildirs.begin(Buffer.from(`Return-Path: <${sender.path.raw}>\r\n`, 'latin1'));
    // Looked at by the first step; until then a failure is nobody's.
    this.#message.catch(() => undefined);
  }

  write(chunk: Buffer): Promise<void> {
    return this.#step((message) => message.write(this.#dots.remove(chunk)));
  }

  async end(last: Buffer | undefined): Promise<readonly Reply[]> {
    if (last !== undefined) await this.write(last);
    await this.#step((message) => message.finish());
    const replies: Reply[] = [];
    for (const mailbox of this.#mailboxes) replies.push(await this.#storeIn(mailbox));
    await this.#close();
    return replies;
  }

  abort(): void {
    void this.#close();
  }

  /** A recipient is told 250 only when the message is in its mailbox for good. */
  async #storeIn(mailbox: Bytes): Promise<Reply> {
    let stored = '';
    const failure = await this.#try(async (message) => {
      stored = await message.storeIn(mailbox);
    });
    if (failure === undefined) {
      this.#log.info({ mailbox, file: stored }, 'stored');
      return reply(250, '2.1.5', `Stored in ${mailbox}`);
    }
    this.#log.error({ mailbox, err: failure }, 'not stored');
    return isFull(failure) ? reply(452, '4.3.1', 'Disk full') : localError;
  }

  /** After a failure nothing more is done, and every recipient is told of it. */
  async #step(step: (message: MaildirMessage) => Promise<void>): Promise<void> {
    this.#failure = await this.#try(step);
  }

  async #try(step: (message: MaildirMessage) => Promise<void>): Promise<unknown> {
    if (this.#failure !== undefined) return this.#failure;
    try {
      await step(await this.#message);
      return undefined;
    } catch (failure) {
      return failure;
    }
  }

  async #close(): Promise<void> {
    const failure = await this.#message.then((message) => message.close()).catch((error: unknown) => error);
    if (failure !== undefined) this.#log.warn({ err: failure }, 'a message was not tidied away');
  }
}

function isFull(failure: unknown): boolean {
  const code = failure instanceof Error && 'code' in failure ? failure.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
