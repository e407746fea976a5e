// Why a backend did not do what its administrator asked for by IMAP, and whether to ask again is of any use.
import type { Bytes } from '../address/bytes.ts';
import type { Tagged } from './imap-response.ts';

/**
 * `away`: no answer could be had: not reached, not let in, silent for too long, gone, or talking nonsense. Whether a
 * command was carried out is then unknown; all of ImapAdmin's may be repeated. `busy`: a clear no that may pass, or that
 * is not known. `refused`: a clear no that stays one as long as nobody changes the question, the server or the mailbox.
 */
export type FailureKind = 'away' | 'busy' | 'refused';

export class ImapFailure extends Error {
  override readonly name = 'ImapFailure';
  readonly kind: FailureKind;
  /** The server's response code in capitals, without what follows it (`NOPERM`); Cyrus 3.6 gives few. */
  readonly code: string | undefined;
  /** The server's own words, where it has answered. */
  readonly said: Bytes | undefined;

  /** The message begins with the server. */
  constructor(message: string, kind: FailureKind, answer?: Tagged) {
    super(message);
    this.kind = kind;
    this.code = answer && responseCode(answer.text);
    this.said = answer?.text;
  }
}

/** Codes of RFC 5530 and RFC 6154 that time does not cure. */
const lasting = new Set(['ALREADYEXISTS', 'CANNOT', 'CLIENTBUG', 'LIMIT', 'NONEXISTENT', 'NOPERM', 'USEATTR']);

/** The same in the words of Cyrus 3.6, which has a code for few of them. */
const lastingWords = new Set([
  'Cross-server or cross-partition move w/rename not supported',
  'Invalid identifier',
  'Invalid mailbox name',
  'Mailbox already exists',
  'Mailbox does not exist',
  'Operation is not supported on mailbox',
  'Permission denied',
  'Quota root does not exist',
  'SPECIAL-USE flag conflict',
  'Subscribe: Mailbox does not exist',
  'Unknown/invalid partition',
  'Unsupported quota resource',
]);

/**
 * The kind of an answer that is not the one hoped for. BAD is what a server says to a command it does not know. What is
 * not known passes for `busy`, as with mail: `System I/O error`, `no connection to server` and `unable to reserve mailbox
 * on mupdate server` (the MUPDATE master is not reached, or it refuses) and the locks are among them.
 */
export function kindOf({ status, text }: Tagged): FailureKind {
  if (status === 'OK') return 'away';
  const code = responseCode(text);
  const stays = status === 'BAD' || lastingWords.has(text) || (code !== undefined && lasting.has(code));
  return stays ? 'refused' : 'busy';
}

/** Whether the answer says that there is no such mailbox. */
export function nonexistent({ status, text }: Tagged): boolean {
  return status === 'NO' && (responseCode(text) === 'NONEXISTENT' || text === 'Mailbox does not exist');
}

/** Whether the answer says that there is such a mailbox already. */
export function alreadyExists({ status, text }: Tagged): boolean {
  return status === 'NO' && (responseCode(text) === 'ALREADYEXISTS' || text === 'Mailbox already exists');
}

function responseCode(text: Bytes): string | undefined {
  return /^\[([A-Za-z0-9-]+)[ \]]/.exec(text)?.[1]?.toUpperCase();
}
