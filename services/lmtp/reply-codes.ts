// Every reply of ours, by name: the one place where codes and texts stand.
import type { Bytes } from '../directory/entry.ts';
import { reply } from './reply.ts';

/** The session (RFC 5321 section 4.2.3; enhanced codes RFC 3463 section 3). */
export const greeting = (servername: string) => reply(220, '', `${servername} LMTP Rookery ready`);
export const lhlo = (servername: string, keywords: readonly string[]) => reply(250, '', servername, ...keywords);
/** Cyrus' words. */
export const traceOk = (session: string, trace: Bytes) =>
  reply(250, '2.0.0', `Ok SESSIONID=<${session}> TRACEID=<${trace}>`);
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
export const notAProxy = reply(421, '4.7.0', 'This address is for proxies only');
export const shuttingDown = reply(421, '4.3.2', 'Shutting down');
export const idleTooLong = reply(421, '4.4.2', 'Idle for too long, closing');
export const tooManyErrors = reply(421, '4.7.0', 'Too many bad commands, closing');

/** TLS and AUTH (RFC 3207 section 4, RFC 4954 sections 4 and 6). */
export const startTls = reply(220, '2.0.0', 'Ready to start TLS');
export const secureAlready = reply(503, '5.5.1', 'TLS is active already');
export const challenge = (base64: string) => reply(334, '', base64);
export const authenticated = reply(235, '2.7.0', 'Authenticated');
export const badCredentials = reply(535, '5.7.8', 'Authentication failed');
export const authCancelled = reply(501, '5.7.0', 'Authentication cancelled');
export const notBase64 = reply(501, '5.5.2', 'Not base64');
export const unknownMechanism = reply(504, '5.5.4', 'No such mechanism here');
export const encryptionNeeded = reply(538, '5.7.11', 'Encryption is required for this mechanism');
export const authenticatedAlready = reply(503, '5.5.1', 'Authenticated already');
/** Cyrus' code with `soft_noauth`: the message stays with the MTA until somebody has set this right. */
export const loginFirst = (soft: boolean) =>
  soft ? reply(430, '4.7.0', 'Authentication required') : reply(530, '5.7.0', 'Authentication required');

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
/** XFORWARD_README: not in the midst of a transaction; nor is STARTTLS or AUTH (RFC 4954 section 4). */
export const beforeMail = (verb: string) => reply(503, '5.5.1', `${verb} comes before MAIL`);
/** Postfix' own reply to those who are not in its list. */
export const xforwardRefused = reply(550, '5.7.0', 'Not believed: XFORWARD is for hosts of lmtp.xforward_networks');
/** RFC 5321 section 4.1.1.11. */
export const unknownParameter = (keyword: Bytes) => reply(555, '5.5.4', `Unrecognized parameter ${keyword}`);
/** RFC 6531 section 3.5; of a recipient, and of the sender. */
export const asciiRecipient = reply(553, '5.6.7', 'Not an ASCII address, and MAIL had no SMTPUTF8');
export const asciiSender = reply(550, '5.6.7', 'Not an ASCII address: SMTPUTF8 is needed');
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

/** The operator's word (`backends.NAME.fence`). */
export const fenced = (server: Bytes) => reply(451, '4.2.1', `Nothing is delivered to ${server} for now`);

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
export const queueFull = (server: Bytes) =>
  reply(451, '4.4.5', `Too many messages wait for a connection to ${server} already`);
export const tooSlow = (server: Bytes) =>
  reply(451, '4.4.5', `The message came too slowly while others waited for a connection to ${server}`);
/**
 * RFC 6531 section 3.5 for the codes (X.6.7: an address, X.6.9: a header that is not ASCII). Temporary: what a server
 * announces is about the session, and its other host or next version may know the extension.
 */
export const utf8Address = (server: Bytes) => reply(451, '4.6.7', `Backend ${server} knows no SMTPUTF8 addresses`);
export const utf8Message = (server: Bytes) => reply(451, '4.6.9', `Backend ${server} takes no SMTPUTF8 message`);
/** X.3.1: mail system full. */
export const spoolFull = reply(452, '4.3.1', 'No room to hold the message for a slow backend');
/** X.4.2: bad connection. What became of the message there is not known: the MTA tries again. */
export const backendLost = (server: Bytes, why: Bytes) => reply(451, '4.4.2', `Backend ${server}: ${why}`);
