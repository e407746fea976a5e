// The section `backends`: the servers that hold mailboxes, and how to reach them.
import { z } from 'zod';
import { addressKeys, addressOf, addressProblem } from './address.ts';
import { backendPlacement } from './backend-placement.ts';
import { backendReplica } from './backend-replica.ts';
import { key } from './key.ts';
import { count, flag, hostName, ipAddress, word } from './kinds.ts';
import { passwordKeys } from './secret.ts';

const user = (protocol: string, example: string) =>
  key(z.exactOptional(word.max(255)), {
    doc: `The user to authenticate as by ${protocol}, with AUTH PLAIN.`,
    expects: 'a user name; a password belongs to it',
    example,
    otherwise: 'none: no authentication',
  });

const lmtpPort = 24; // Postfix' and Cyrus' customary port for LMTP; RFC 2033 section 5 forbids 25
const imapPort = 143; // RFC 9051

const lmtp = z
  .strictObject({
    ...addressKeys({
      what: 'of the LMTP server',
      host: 'mail1.example.org',
      port: lmtpPort,
      path: '/run/cyrus/lmtp.sock',
      lowest: 1,
      port0: String(lmtpPort),
    }),
    username: user('LMTP', 'mailproxy'),
    ...passwordKeys('for LMTP', '/etc/rookery/lmtp.secret'),
    connections: count({
      doc: 'The most connections that one process keeps to the backend at a time: a slow backend then holds up no more than these.',
      min: 1,
      max: 10_000,
      default: 20,
    }),
  })
  .superRefine((access, context) => {
    const problem = addressProblem(access, lmtpPort);
    if (problem) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
  })
  .transform(({ host, port, path, ...rest }) => ({
    address: addressOf({ ...(host && { host }), ...(port && { port }), ...(path && { path }) }, lmtpPort),
    ...rest,
  }));

const imap = z.strictObject({
  host: key(hostName, {
    doc: 'The host name or address of the IMAP server.',
    expects: 'a host name or address',
    example: 'mail1.example.org',
    otherwise: 'none; must be given',
  }),
  port: key(z.int().min(1).max(65_535).default(imapPort), {
    doc: 'The TCP port of the IMAP server.',
    expects: 'a port number from 1 to 65535',
    example: imapPort,
  }),
  username: user('IMAP', 'cyrus'),
  ...passwordKeys('for IMAP', '/etc/rookery/imap.secret'),
});

const backend = z.strictObject({
  lmtp: key(z.exactOptional(lmtp), {
    doc: 'How to deliver to the backend. Left out: mail for its mailboxes is put off.',
    expects: '{ host, port } or { path }, with username and password where the backend asks for them',
    example: { host: 'mail1.example.org', port: 24, username: 'mailproxy', password_file: '/etc/rookery/lmtp.secret' },
    otherwise: 'none',
  }),
  imap: key(z.exactOptional(imap), {
    doc: 'How to ask the backend as its administrator which mailboxes it has; delivery has no use for it. The user is one of its admins, without a domain.',
    expects: '{ host, port } with username and password',
    example: { host: 'mail1.example.org', username: 'cyrus', password_file: '/etc/rookery/imap.secret' },
    otherwise: 'none',
  }),
  mupdate: flag({
    doc: 'Whether the backend pushes its list of mailboxes by MUPDATE, as Cyrus does when it starts. Until it has, unknown recipients are put off, not refused.',
    default: true,
  }),
  hosts: key(z.exactOptional(z.array(ipAddress).min(1)), {
    doc: 'The addresses from which the hosts that bear this servername speak to the directory. A user without a server of his own then speaks for the backend whose address he comes from, and only the active host is heard: the other may start, but is told nothing and changes nothing. Needed where two hosts bear one servername.',
    expects: 'a list of one or more IPv4 or IPv6 addresses',
    example: ['10.0.0.1', '10.0.0.11'],
    otherwise: 'none: from wherever they speak, the hosts of the backend are one',
  }),
  active: key(z.exactOptional(ipAddress), {
    doc: 'Which of the hosts is in charge.',
    expects: 'one of the addresses under hosts',
    example: '10.0.0.1',
    otherwise: 'the host, where there is only one; of two or more, one must be given',
  }),
  placement: backendPlacement,
  replica: backendReplica,
});

export const backendsSection = key(z.record(hostName, backend).prefault({}), {
  doc: 'The backends, by the names that they call themselves in the directory (their servername).',
  expects: 'a map of server names',
  example: { 'mail1.example.org': { lmtp: { host: 'mail1.example.org', port: 24 } } },
});
