// What stands behind a listener: who takes the messages that it reads. The proxy is one, a backend that stores mail another.
import type { Bytes } from '../directory/entry.ts';
import type { Path } from '../address/path.ts';
import type { Reply } from './reply.ts';

/** The MTA's side of a session, as far as it is known when MAIL comes. */
export interface SessionFacts {
  /** Names the session in logs; never used again. */
  id: string;
  /** The argument of LHLO, printable ASCII without spaces. */
  lhlo: Bytes;
  /** The client's IP address; empty on a Unix socket. */
  client: string;
  /** The client speaks TLS. */
  tls: boolean;
  /** Whom the client has proved to be by AUTH; undefined when it has not. */
  user: string | undefined;
  /** What the MTA calls the message (XFORWARD IDENT); empty when it has not told us. */
  mtaQueueId: Bytes;
  /** What the client calls this delivery (TRACE, Cyrus), to be told to backends and to the log; empty when it has not told us. */
  traceId: Bytes;
  /**
   * What an MTA says of the client that it had the message from (XFORWARD_README): the name of the attribute in capitals,
   * and its value decoded. Attributes that are `[UNAVAILABLE]` are left out; empty when the MTA is not believed.
   */
  xforward: ReadonlyMap<Bytes, Bytes>;
  /** Aborted when the client is gone, or has sent all it ever will: nothing more is to be begun for it. */
  gone: AbortSignal;
}

/** MAIL FROM, read and found good. */
export interface Sender {
  path: Path;
  /** SIZE (RFC 1870), when it was given. */
  size: number | undefined;
  /** BODY (RFC 6152), when it was given. */
  body: '7BIT' | '8BITMIME' | undefined;
  /** AUTH (RFC 4954 section 5) as it came: xtext, or `<>`, which it also is when the client is not believed. */
  auth: Bytes | undefined;
  /** SMTPUTF8 (RFC 6531) was given: header and addresses may be UTF-8. */
  smtputf8: boolean;
}

/** RCPT TO, read and found good. */
export interface Recipient {
  path: Path;
  /** The parameter of this name (Cyrus): deliver even over quota. */
  ignoreQuota: boolean;
}

/** Why a message will not be whole. */
export type Abort = 'client lost' | 'too big' | 'ambiguous end';

/**
 * Takes one message. The bytes come as they were on the wire: still dot-stuffed (RFC 5321 section 4.5.2), up to and
 * without the line of the final dot, cut anywhere. `write` is never called again before the promise it gave is resolved.
 * Exactly one of `end` and `abort` is called, once, and nothing after it.
 */
export interface MessageSink {
  /** Undefined: go on at once. A promise: go on when it is resolved (it must not reject). The chunk may be kept. */
  write(chunk: Buffer): Promise<void> | undefined;
  /**
   * The final dot was read; `last` are the message's last bytes, if there are any left. Resolves to one reply for every
   * recipient accepted, in their order (RFC 2033 section 4.2). When it rejects, each is told 451.
   */
  end(last: Buffer | undefined): Promise<readonly Reply[]>;
  /**
   * The message will not be whole and must come to nothing. `told` is what the listener tells each recipient, once the
   * client has sent the rest; undefined when the client is lost.
   */
  abort(why: Abort, told: Reply | undefined): void;
  /**
   * The replies of `end` may not have been heard: the client had left when they came, or its connection broke before it
   * had shown that it has (see Hearing). Called once at most; left out where nobody wants to know.
   */
  unheard?(): void;
}

/** One mail transaction: made at MAIL, and over after `end`, `abort` or `reset`. */
export interface MailTransaction {
  /** RCPT: a positive reply (2xx) accepts. Called once at a time. When it rejects, the recipient is told 451. */
  recipient(recipient: Recipient): Promise<Reply> | Reply;
  /** DATA, with at least one recipient accepted: work may begin while the client is still being told 354. */
  data(): MessageSink;
  /** The transaction came to nothing before DATA: RSET, LHLO, QUIT, or the client was lost. */
  reset(): void;
}

export interface MessageHandler {
  /** MAIL was good and will be answered 250. */
  begin(sender: Sender, session: SessionFacts): MailTransaction;
}
