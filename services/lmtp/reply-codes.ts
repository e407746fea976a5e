// Every reply of ours, by name: the one place where codes and texts stand.
import type { Bytes } from '../directory/entry.ts';
import { reply } from './reply.ts';

/** The session (RFC 5321 section 4.2.3; enhanced codes RFC 3463 section 3). */
export const greeting = (servername: string) => reply(220, '', `${servername} LMTP Rookery ready`);
export const lhlo = (servername: string, keywords: readonly string[]) => reply(250, '', servername, ...keywords);
export const ok = reply(250, '2.0.0', 'Ok');
/** RFC 5321 section 3.5.3: we can't say, but would try. */
export const cannotVerify = reply(252, '2.3.3', 'Try RCPT to attempt delivery');
export const bye = reply(221, '2.0.0', 'Bye');
export const senderOk = reply(250, '2.1.0', 'Ok');
export const recipientOk = reply(250, '2.1.5', 'Ok');
/** RFC 2034 section 4: no enhanced code in a 3xx. */
export const startData = reply(354, '', 'Go ahead, end with <CR><LF>.<CR><LF>');

/** The end of a session by us: 421 (RFC 5321 section 3.8). */
export const tooManySessions = reply(421, '4.3.2', 'Too many sessions, try again later');
export const shuttingDown = reply(421, '4.3.2', 'Shutting down');
export const idleTooLong = reply(421, '4.4.2', 'Idle for too long, closing');
export const tooManyErrors = reply(421, '4.7.0', 'Too many bad commands, closing');

/** Commands that are none, or are out of place (RFC 5321 sections 4.2.4 and 4.1.4; RFC 2033 section 4.1). */
export const unknownCommand = reply(500, '5.5.2', 'Command not recognized');
export const noControlCharacters = reply(500, '5.5.2', 'A command has no control characters in it');
export const lineTooLong = reply(500, '5.5.2', 'Command line too long');
export const lmtpOnly = reply(500, '5.5.1', 'This is LMTP: say LHLO');
export const badParameters = (why: Bytes) => reply(501, '5.5.4', why);
export const noArgument = (verb: string) => reply(501, '5.5.4', `${verb} takes no argument`);
export const lhloArgument = reply(501, '5.5.4', 'LHLO needs one host name or address literal');
export const lhloFirst = reply(503, '5.5.1', 'Send LHLO first');
export const nestedMail = reply(503, '5.5.1', 'A mail transaction is open already');
/** XFORWARD_README: not in the midst of a transaction. */
export const xforwardFirst = reply(503, '5.5.1', 'XFORWARD comes before MAIL');
export const needMail = reply(503, '5.5.1', 'Need MAIL before RCPT');
/** RFC 2033 section 4.2: DATA without a recipient gets no 354. */
export const noRecipients = reply(503, '5.5.1', 'No valid recipients');

/** The message and the envelope. */
/** RFC 1870 section 6.1 for the code; RFC 3463 section 3.4: X.3.4 message too big for system. */
export const tooBig = (limit: number) => reply(552, '5.3.4', `Message exceeds the limit of ${limit} bytes`);
/** RFC 5321 section 4.5.3.1.10. */
export const tooManyRecipients = (limit: number) => reply(452, '4.5.3', `No more than ${limit} recipients a message`);
/** RFC 3463 section 3.7, X.6.0: the body could be read in two ways by servers behind us. */
export const ambiguousEnd = reply(
  554,
  '5.6.0',
  'The end of the message is ambiguous: a dot with bare CR or LF, or in a long line',
);
/** For the log: there is nobody left to be told. */
export const clientLost = reply(421, '4.4.2', 'Client went away before the end of the message');
export const localError = reply(451, '4.3.0', 'Local error in processing');

/** A verdict on a recipient (cyrus-imapd's words where it has them). */
/** RFC 3463 section 3.2, X.1.1: only where absence is proven. */
export const unknownUser = reply(550, '5.1.1', 'User unknown');
/** RFC 3463 section 3.8, X.7.1: delivery not authorized. */
export const permissionDenied = reply(550, '5.7.1', 'Permission denied: no right to post to this mailbox');
/** X.2.1: mailbox not accepting messages, for now. */
export const beingMade = reply(451, '4.2.1', 'Mailbox is being created');
export const reserved = reply(451, '4.2.1', 'Mailbox is currently reserved');
export const contested = reply(451, '4.2.1', 'Mailbox is claimed by several servers');
export const beingMoved = reply(451, '4.2.1', 'Mailbox is being moved to another server');
export const justDeleted = reply(451, '4.2.1', 'Mailbox was deleted a moment ago');
/** The directory sent us to a backend that does not know the mailbox: one of the two is stale, so nobody is bounced. */
export const staleDirectory = (server: Bytes, said: Bytes) =>
  reply(451, '4.2.1', `Mailbox is not where the directory says, on ${server}: ${said}`);

/** Proof or a server is missing (X.4.3: directory server failure, as Cyrus says in all these cases). */
export const directoryAway = reply(451, '4.4.3', 'Directory is not available');
export const directoryNotTrusted = reply(451, '4.4.3', 'Directory cannot tell yet whether this mailbox exists');
export const unknownServer = (server: Bytes) => reply(451, '4.4.3', `No delivery from here to ${server}`);
export const backendAway = (server: Bytes, why: Bytes) =>
  reply(451, '4.4.3', `Backend ${server} is not available: ${why}`);
export const backendRefused = (server: Bytes, said: Bytes) =>
  reply(451, '4.4.3', `Backend ${server} refused the session: ${said}`);
/** X.4.5: mail system congestion. */
export const backendBusy = (server: Bytes) => reply(451, '4.4.5', `Backend ${server} has all its connections in use`);
/** X.4.2: bad connection. What became of the message there is not known: the MTA tries again. */
export const backendLost = (server: Bytes, why: Bytes) => reply(451, '4.4.2', `Backend ${server}: ${why}`);
