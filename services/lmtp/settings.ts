// The settings of the LMTP side, and what each is by default.
import { Networks } from '../listening/networks.ts';

/** Of the listener: what an MTA may do. Times are in milliseconds, sizes in bytes. */
export interface LmtpSettings {
  /** The largest message taken (RFC 1870), announced by SIZE; 0 for no limit. Default 0, as Cyrus' `maxmessagesize`. */
  size_limit: number;
  /** The most accepted recipients a message. RFC 5321 section 4.5.3.1.8 asks for 100 at least. Default 1000. */
  recipients_limit: number;
  /** The most sessions at a time, over all addresses; more are told 421. Default 1000. */
  sessions_limit: number;
  /** The longest command line, its end included. Default 4096, Cyrus' line buffer. */
  command_limit: number;
  /** Commands that are none, after which a session is closed. Default 10. */
  bad_commands_limit: number;
  /** How long a client may be silent when it is its turn. Default 360000, as Cyrus; RFC 5321 asks for 5 minutes. */
  session_timeout: number;
  /** Octets above 127 in addresses are refused. Default true, as Cyrus. */
  lmtp_strict_rfc2821: boolean;
  /** The file mode of Unix sockets: who may connect. Default 0o666, the folder they are in being the gate. */
  socket_mode: number;
  /** SMTPUTF8 is offered. Default true: an MTA with such a message would bounce it otherwise. */
  smtputf8: boolean;
  /** Who may authenticate by PLAIN: passwords by name. Default nobody. */
  users: ReadonlyMap<string, string>;
  /** Which of them, and which names in clients' certificates, may submit. */
  lmtp_admins: ReadonlySet<string>;
  /** PLAIN is offered without TLS. Default false. */
  allowplaintext: boolean;
  /** Who has not authenticated is put off, not refused. Default true, as Cyrus. */
  soft_noauth: boolean;
  /** How long a failed AUTH waits for its answer. Default 3000, as Cyrus. */
  failedloginpause: number;
  /** Who need not authenticate. Default this host; clients of Unix sockets are always of them. */
  preauth_networks: Networks;
  /** Whose XFORWARD is believed. Default the same. */
  xforward_networks: Networks;
  /** Whose PROXY header is believed, where one is expected. Default the same. */
  proxy_networks: Networks;
  /** How long the PROXY header may take, and then TLS. Default 10000. */
  handshake_timeout: number;
}

/** One address to listen at: what is asked of its clients. */
export interface Door {
  tls: 'off' | 'starttls' | 'implicit';
  /** Each connection begins with a PROXY header (version 1). */
  proxy_protocol: boolean;
  auth: 'required' | 'optional';
  /** In PEM; undefined where TLS is off. */
  certificate: Certificate | undefined;
}

export interface Certificate {
  cert: string;
  key: string;
  /** Whose client certificates are believed; undefined: none is asked for. */
  ca: string | undefined;
  minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export const plainDoor: Door = { tls: 'off', proxy_protocol: false, auth: 'required', certificate: undefined };

const thisHost = new Networks(['127.0.0.0/8', '::1']);

export const lmtpDefaults: LmtpSettings = {
  size_limit: 0,
  recipients_limit: 1000,
  sessions_limit: 1000,
  command_limit: 4096,
  bad_commands_limit: 10,
  session_timeout: 360_000,
  lmtp_strict_rfc2821: true,
  socket_mode: 0o666,
  smtputf8: true,
  users: new Map(),
  lmtp_admins: new Set(),
  allowplaintext: false,
  soft_noauth: true,
  failedloginpause: 3000,
  preauth_networks: thisHost,
  xforward_networks: thisHost,
  proxy_networks: thisHost,
  handshake_timeout: 10_000,
};

/**
 * Of the sessions with backends. Times are in milliseconds. They add up to less than an MTA waits: Postfix gives 180 s
 * to each write of the message (`lmtp_data_xfer_timeout`), and 600 s to the replies after it (`lmtp_data_done_timeout`).
 */
export interface BackendSettings {
  /** For connecting, greeting, LHLO and AUTH together. Default 10000, Cyrus' `client_timeout`. */
  connect_timeout: number;
  /** How long to wait for a connection when all of a backend's are in use. Default 30000. */
  wait_timeout: number;
  /** For the replies to MAIL, RCPT and DATA. Default 60000: the MTA's message is held up meanwhile. */
  envelope_timeout: number;
  /** How long a backend may take none of the message. Default 60000. */
  stall_timeout: number;
  /** From the final dot to the backend's last reply. Default 300000, Cyrus' `lmtptxn_timeout`. */
  reply_timeout: number;
  /** How long an unused connection is kept. Default 60000; Cyrus' lmtpd hangs up after 360 s. */
  idle_timeout: number;
  /** Bytes of one message held for one backend that is slower than the MTA. Default 262144. */
  buffer: number;
  /** From the MTA's final dot to our last reply. Default 500000: an MTA that gives up sends the message again. */
  transaction_timeout: number;
  /** How long a backend is listened to that has not answered in time. Default 300000. */
  late_timeout: number;
  /** A connection that was unused for so long is asked NOOP before it is used again. Default 15000. */
  check_after: number;
  /** So many failures in a row to connect or be greeted open the breaker of a backend. Default 5. */
  breaker_failures: number;
  /** Between two probes of a backend whose breaker is open. Default 5000. */
  breaker_pause: number;
  /** How long an address of a backend that failed is tried last. Default 60000. */
  failback_after: number;
  /** Bytes held of all messages under way; above it MTAs are held back. Default 268435456. */
  memory_limit: number;
  /** How long the slowest of several backends may hold back the others, before it gets a file of its own. Default 1000. */
  spool_after: number;
  /** Bytes in such files at a time. Default 1073741824. */
  spool_limit: number;
}

export const backendDefaults: BackendSettings = {
  connect_timeout: 10_000,
  wait_timeout: 30_000,
  envelope_timeout: 60_000,
  stall_timeout: 60_000,
  reply_timeout: 300_000,
  idle_timeout: 60_000,
  buffer: 262_144,
  transaction_timeout: 500_000,
  late_timeout: 300_000,
  check_after: 15_000,
  breaker_failures: 5,
  breaker_pause: 5_000,
  failback_after: 60_000,
  memory_limit: 268_435_456,
  spool_after: 1_000,
  spool_limit: 1_073_741_824,
};
