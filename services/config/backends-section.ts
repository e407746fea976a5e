// The section `backends`: the servers that hold mailboxes, and how to reach them.
import { z } from 'zod';
import { addressKeys, addressOf, addressProblem, type WrittenAddress } from './address.ts';
import { backendPlacement } from './backend-placement.ts';
import { backendReplica } from './backend-replica.ts';
import { key } from './key.ts';
import { choice, count, flag, hostName, ipAddress, word } from './kinds.ts';
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

const tls = z.strictObject({
  mode: choice(['starttls', 'implicit'], {
    doc: 'By STARTTLS, which the backend then has to offer, or from the first byte.',
    default: 'starttls',
  }),
  ca: key(z.exactOptional(z.string().min(1)), {
    doc: 'The certificates of who may vouch for the backend. Better kept in a file of their own: see ca_file.',
    expects: 'certificates in PEM',
    example: '-----BEGIN CERTIFICATE-----',
    otherwise: 'those that the system trusts',
  }),
  ca_file: key(z.exactOptional(z.string().min(1)), {
    doc: "The file that holds them. Relative paths start at the configuration file's folder.",
    expects: 'the path of a readable file, in place of ca',
    example: '/etc/rookery/backends-ca.pem',
    otherwise: 'none',
  }),
  name: key(z.exactOptional(hostName), {
    doc: 'The name that the certificate must bear.',
    expects: 'a host name',
    example: 'mail1.internal.example.org',
    otherwise: "the backend's servername",
  }),
  verify: flag({
    doc: 'Whether the certificate is looked at. Off keeps out listeners, but nobody who can pose as the backend.',
    default: true,
  }),
});

const addressesOfLmtp = addressKeys({
  what: 'of the LMTP server',
  host: 'mail1.example.org',
  port: lmtpPort,
  path: '/run/cyrus/lmtp.sock',
  lowest: 1,
  port0: String(lmtpPort),
});

const oneAddress = z
  .strictObject(addressesOfLmtp)
  .superRefine(refuseBadAddress)
  .transform((address) => addressOf(address, lmtpPort));

const lmtp = z
  .strictObject({
    ...addressesOfLmtp,
    addresses: key(z.exactOptional(z.array(oneAddress).min(1)), {
      doc: 'In place of host, port and path: several addresses of the backend. They are tried in this order; one that failed lately is tried last.',
      expects: 'a list of one or more { host, port } or { path }',
      example: [{ host: '10.0.0.1' }, { host: '10.0.0.11', port: 24 }],
      otherwise: 'none: the one address',
    }),
    username: user('LMTP', 'mailproxy'),
    ...passwordKeys('for LMTP', '/etc/rookery/lmtp.secret'),
    connections: count({
      doc: 'The most connections that one process keeps to the backend at a time: a slow backend then holds up no more than these.',
      min: 1,
      max: 10_000,
      default: 20,
    }),
    tls: key(z.exactOptional(tls), {
      doc: 'TLS to the backend.',
      expects:
        '{ mode }, with ca_file and name where its certificate is not one for its servername by a public authority',
      example: { mode: 'starttls', ca_file: '/etc/rookery/backends-ca.pem' },
      otherwise: 'none: without TLS',
    }),
    waiting: count({
      doc: 'The most messages of one process that wait for a connection when all are in use; further ones are put off at once, so that a backend that hangs does not hold all sessions.',
      min: 0,
      max: 100_000,
      default: 100,
    }),
  })
  .superRefine((access, context) => {
    if (access.addresses === undefined) refuseBadAddress(access, context);
    else if ([access.host, access.port, access.path].some((value) => value !== undefined)) {
      context.addIssue({ code: 'custom', path: ['addresses'], message: 'left out where host, port or path are given' });
    }
  })
  .transform(({ host, port, path, addresses, ...rest }) => ({
    addresses: addresses ?? [
      addressOf({ ...(host && { host }), ...(port && { port }), ...(path && { path }) }, lmtpPort),
    ],
    ...rest,
  }));

function refuseBadAddress(address: WrittenAddress, context: z.RefinementCtx): void {
  const problem = addressProblem(address, lmtpPort);
  if (problem) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
}

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
  fence: flag({
    doc: 'Nothing is delivered to the backend: mail for its mailboxes is put off (451 4.2.1), and its connections are left alone. To empty it, and go on delivering, is placement.drain.',
    default: false,
  }),
  placement: backendPlacement,
  replica: backendReplica,
});

export const backendsSection = key(z.record(hostName, backend).prefault({}), {
  doc: 'The backends, by the names that they call themselves in the directory (their servername).',
  expects: 'a map of server names',
  example: { 'mail1.example.org': { lmtp: { host: 'mail1.example.org', port: 24 } } },
});
