// What became of one recipient: the record behind a line of the mail log.

/** One RCPT occurrence, told once, when its last reply is known. Never a body, never a subject. */
export interface Outcome {
  /** The MTA's own queue id, where it told us (XFORWARD IDENT). */
  mta_queue_id?: string;
  session: string;
  transaction: string;
  /** The reverse-path, `<>` when empty. */
  from: string;
  /** The forward-path as it was handed to the backend. */
  to: string;
  /** The forward-path as it came, where that differs. */
  orig_to?: string;
  /** The mailbox name that was looked up. */
  mailbox?: string;
  /** The server that holds it. */
  backend?: string;
  /** What the MTA was told: reply code, enhanced status code (RFC 3463), text. */
  code: number;
  dsn: string;
  text: string;
  /** What we did with it: passed on and accepted, put off, or refused. */
  outcome: 'delivered' | 'deferred' | 'rejected';
  /** Why, in one word or two, where it was not delivered: `unknown`, `reserved`, `directory`, `backend`, ... */
  reason?: string;
  /** The facts behind it, where absence was not believed: what the proof lacked. */
  why?: string;
  /** Milliseconds: in all, and its parts (backend connect, sending, waiting for the reply). */
  delay_ms: number;
  connect_ms?: number;
  send_ms?: number;
  reply_ms?: number;
  /** The message's size in bytes as it came, when it was read. */
  bytes?: number;
  /** Whether the MTA spoke TLS. */
  tls: boolean;
}
