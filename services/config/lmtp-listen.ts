// Part of the section `lmtp`: where MTAs deliver to, by which protocols, and who may.
import { z } from 'zod';
import { addressKeys, addressOf, addressProblem } from './address.ts';
import { key } from './key.ts';
import { choice, flag, seconds, word } from './kinds.ts';
import { isNetwork } from '../listening/networks.ts';
import { passwordKeys } from './secret.ts';

const file = z.string().startsWith('/');

/** Certificates: of the section, and of one listener in place of the section's. */
function certificateKeys(whose: string) {
  return {
    tls_server_cert: key(z.exactOptional(file), {
      doc: `The certificate ${whose}, in PEM, its chain behind it. Read again on SIGHUP.`,
      expects: 'the absolute path of a readable file',
      example: '/etc/rookery/lmtp.crt',
      otherwise: 'none',
    }),
    tls_server_key: key(z.exactOptional(file), {
      doc: `The private key of the certificate ${whose}, in PEM, without a passphrase.`,
      expects: 'the absolute path of a readable file',
      example: '/etc/rookery/lmtp.key',
      otherwise: 'none',
    }),
  };
}

const listener = z
  .strictObject({
    ...addressKeys({
      ...{ what: 'to listen at', host: '127.0.0.1', port: 2003, path: '/run/rookery/lmtp.sock', lowest: 0 },
    }),
    tls: key(z.exactOptional(z.enum(['off', 'starttls', 'implicit'])), {
      doc: 'TLS: offered by STARTTLS (RFC 3207), or spoken from the first byte.',
      expects: 'one of off, starttls, implicit',
      example: 'implicit',
      otherwise: 'starttls at TCP ports where there is a certificate, else off',
    }),
    ...certificateKeys('of this listener'),
    auth: choice(['required', 'optional'], {
      doc: 'Whether clients that are not in preauth_networks must authenticate before MAIL. When optional, what a stranger says by AUTH= and IGNOREQUOTA counts for nothing.',
      default: 'required',
    }),
    proxy_protocol: flag({
      doc: 'Each connection begins with a PROXY header, version 1, that says who the client is (haproxy: send-proxy). Believed of proxy_networks; others are turned away.',
      default: false,
    }),
  })
  .superRefine((address, context) => {
    const problem = addressProblem(address);
    if (problem) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
    // RFC 2033 section 5: whoever finds LMTP there takes it for SMTP.
    else if (address.port === 25)
      context.addIssue({ code: 'custom', path: ['port'], message: 'a port other than 25, which is for SMTP' });
  })
  .transform(({ host, port, path, ...door }) => ({
    ...addressOf({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      ...(path !== undefined && { path }),
    }),
    ...door,
  }));

export type ConfiguredListener = z.output<typeof listener>;

const listen = key(
  z
    .array(listener)
    .min(1)
    .default([{ host: '127.0.0.1', port: 2003, auth: 'required', proxy_protocol: false }]),
  {
    doc: 'Where MTAs deliver to by LMTP: TCP ports and Unix sockets.',
    expects: 'a list of one or more { host, port } or { path }',
    example: [{ host: '127.0.0.1', port: 2003 }, { path: '/run/rookery/lmtp.sock' }],
  },
);

/** The networks of this host, in all three lists by default. */
const thisHost = ['127.0.0.0/8', '::1'];

function networks(doc: string) {
  return key(z.array(z.string().refine(isNetwork)).default(thisHost), {
    doc: `${doc} Clients of Unix sockets are always among them.`,
    expects: 'a list of addresses and networks, such as 10.0.0.0/8',
    example: ['127.0.0.0/8', '::1', '10.0.0.0/24'],
  });
}

const user = z.strictObject(passwordKeys('that the user authenticates with', '/etc/rookery/mta.secret'));

export const listenKeys = {
  listen,
  ...certificateKeys('of all listeners'),
  tls_client_ca_file: key(z.exactOptional(file), {
    doc: "Whose signatures make a client's certificate good, in PEM: with AUTH EXTERNAL a client may then be who its certificate says. Without it none is asked for.",
    expects: 'the absolute path of a readable file',
    example: '/etc/rookery/clients-ca.crt',
    otherwise: 'none',
  }),
  tls_min_version: choice(['TLSv1.2', 'TLSv1.3'], { doc: 'The oldest TLS that is spoken.', default: 'TLSv1.2' }),
  handshake_timeout: seconds({ doc: 'How long the PROXY header may take, and then the TLS handshake.', default: 10 }),
  users: key(z.record(word.max(255), user).prefault({}), {
    doc: 'Who may authenticate by AUTH PLAIN, by name.',
    expects: 'a map of user names, each with a password or password_file',
    example: { mta1: { password_file: '/etc/rookery/mta1.secret' } },
  }),
  lmtp_admins: key(z.exactOptional(z.array(word.max(255))), {
    doc: "Who may submit once it has authenticated: names of users, and names in clients' certificates (common name, DNS name or mail address).",
    expects: 'a list of names',
    example: ['mta1', 'mta1.example.org'],
    otherwise: 'all users',
  }),
  allowplaintext: flag({ doc: 'Offer AUTH PLAIN where there is no TLS, too.', default: false }),
  soft_noauth: flag({
    doc: 'Whether a client that has not authenticated is put off (430), so that mail stays in its queue, or refused (530).',
    default: true,
  }),
  failedloginpause: seconds({ doc: 'How long a failed AUTH waits for its answer.', default: 3 }),
  preauth_networks: networks('Who may submit without AUTH. Their AUTH= is believed, as that of authenticated clients.'),
  xforward_networks: networks(
    'Whose XFORWARD is believed: MTAs that say from where they have a message (Postfix: lmtp_send_xforward_command).',
  ),
  proxy_networks: networks('Whose PROXY header is believed, at listeners with proxy_protocol.'),
  smtputf8: flag({
    doc: 'Offer SMTPUTF8 (RFC 6531). An MTA that has such a message bounces it where it is not offered.',
    default: true,
  }),
};

export interface ListenerTls {
  mode: 'off' | 'starttls' | 'implicit';
  /** The files, where there are any. */
  cert: string | undefined;
  key: string | undefined;
}

/** What a listener does about TLS, and with which files: its own ones, or those of the section. */
export function tlsOf(
  listener: Pick<ConfiguredListener, 'tls' | 'tls_server_cert' | 'tls_server_key'> & ({ path: string } | object),
  section: { tls_server_cert?: string; tls_server_key?: string },
): ListenerTls {
  const own = listener.tls_server_cert !== undefined || listener.tls_server_key !== undefined;
  const { tls_server_cert: cert, tls_server_key: key } = own ? listener : section;
  const usual = cert === undefined || 'path' in listener ? 'off' : 'starttls';
  return { mode: listener.tls ?? usual, cert, key };
}
