// Why a backend could not be spoken to, and what its recipients are told for it.
import type { Bytes } from '../directory/entry.ts';
import { backendAway } from './reply-codes.ts';
import { parseReply, plainText, type Reply } from './reply.ts';
import { sessionReply } from './status-map.ts';

export class BackendFailure extends Error {
  /** For each recipient that has no reply yet; always temporary. */
  readonly reply: Reply;
  /** The connection had gone without a word: an old one may just have been kept for too long. */
  readonly gone: boolean;
  /** The backend has said so itself. */
  readonly answered: boolean;

  constructor(reply: Reply, { gone = false, answered = false } = {}) {
    super(plainText(reply));
    this.reply = reply;
    this.gone = gone;
    this.answered = answered;
  }
}

/** What nodemailer's errors carry. */
interface Fault extends Error {
  code?: string;
  originalCode?: string;
  /** The reply that the fault is about, as it came. */
  response?: string;
}

/** A fault before the session was ready for a message: no connection, no greeting, LHLO or AUTH refused. */
export function openingFailure(error: unknown, server: Bytes): BackendFailure {
  if (error instanceof BackendFailure) return error;
  const fault = error as Fault;
  const said = typeof fault.response === 'string' ? parseReply(fault.response) : undefined;
  if (said !== undefined) return new BackendFailure(sessionReply(said, server), { answered: true });
  return new BackendFailure(backendAway(server, reasons[fault.originalCode ?? fault.code ?? ''] ?? 'no session'));
}

/** System errors in the words of an MTA's log. */
const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOENT: 'no such socket',
  EACCES: 'no permission for the socket',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route',
  ENETUNREACH: 'no route',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'name service away',
  ETIMEDOUT: 'no answer in time',
  EPROTOCOL: 'not an LMTP greeting',
  ECONNECTION: 'connection closed',
};
