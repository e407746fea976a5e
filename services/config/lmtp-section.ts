// The section `lmtp`: where MTAs deliver to, what a session may ask for, and how a recipient is read.
import { z } from 'zod';
import { key } from './key.ts';
import { choice, count, flag, hostName, seconds } from './kinds.ts';
import { listenKeys } from './lmtp-listen.ts';

const limits = {
  size_limit: count({
    doc: 'The largest message taken, announced by SIZE (RFC 1870); a larger one is refused with 552 5.3.4. 0: no limit. No smaller than the message_size_limit of the MTAs in front.',
    unit: 'bytes',
    min: 0,
    max: 1_099_511_627_776,
    default: 0,
    example: 104_857_600,
  }),
  recipients_limit: count({
    doc: 'The most recipients of one message; the MTA sends the others in another one. RFC 5321 section 4.5.3.1.8 asks for 100 at least.',
    min: 1,
    max: 100_000,
    default: 1000,
  }),
  sessions_limit: count({
    doc: 'The most LMTP sessions at a time, over all listeners; a further one is told 421.',
    min: 1,
    max: 100_000,
    default: 1000,
  }),
  command_limit: count({
    doc: "The longest command line, with its end. The default is Cyrus' line buffer.",
    unit: 'bytes',
    min: 512, // RFC 5321 section 4.5.3.1.4
    max: 1_048_576,
    default: 4096,
  }),
  bad_commands_limit: count({
    doc: 'How many commands that are none a session may send before it is closed.',
    min: 1,
    max: 100_000,
    default: 10,
  }),
  session_timeout: seconds({
    doc: 'How long a session may keep silent when it is its turn. RFC 5321 section 4.5.3.2.7 asks for five minutes at least.',
    default: 360,
  }),
  socket_mode: key(
    z
      .string()
      .regex(/^0?[0-7]{3}$/)
      .default('0666'),
    {
      doc: 'The file mode of Unix sockets: who may connect. The folder they are in is a gate of its own.',
      expects: 'three octal digits in quotes',
      example: '0660',
    },
  ),
};

const processes = {
  workers: key(z.union([z.literal('auto'), z.int().min(1).max(64)]).default('auto'), {
    doc: 'How many processes share the listeners. auto: as many as there are cores, for `rookery run lmtp`; one for `rookery up`. Limits of sessions are for each process; connections to backends are shared out.',
    expects: 'auto, or a whole number from 1 to 64',
    example: 2,
  }),
  shutdown_grace: seconds({
    doc: 'How long messages under way may take to end when the process is asked to stop; idle sessions are told 421 at once, and backends that have not answered in time are listened to as long.',
    default: 30,
  }),
};

const delivery = {
  connect_timeout: seconds({
    doc: 'The longest that connecting, greeting, LHLO and AUTH at a backend may take together (Cyrus: client_timeout).',
    default: 10,
  }),
  wait_timeout: seconds({
    doc: "How long a message waits for a connection when all of a backend's are in use.",
    default: 30,
  }),
  envelope_timeout: seconds({
    doc: "How long a backend may take over its replies to MAIL, all RCPT and DATA together; the MTA's message is held up meanwhile.",
    default: 60,
  }),
  stall_timeout: seconds({ doc: 'How long a backend may take none of the message.', default: 60 }),
  reply_timeout: seconds({
    doc: "The longest from the final dot to a backend's last reply (Cyrus: lmtptxn_timeout). Below what the MTA waits (Postfix: lmtp_data_done_timeout, 600).",
    default: 300,
  }),
  idle_timeout: seconds({
    doc: 'How long an unused connection to a backend is kept for the next message.',
    default: 60,
  }),
  buffer: count({
    doc: 'How much of one message is held for one backend that is slower than the MTA; then the MTA is held back.',
    unit: 'bytes',
    min: 4096,
    max: 1_073_741_824,
    default: 262_144,
  }),
  hold: key(z.number().min(0).max(300).default(0), {
    doc: 'How long a message is held for mailboxes that are being moved, reserved, or were deleted a moment ago (the middle of a RENAME), in seconds and for all of its recipients together; it is then delivered to where they live. 0 puts it off at once (451).',
    expects: 'a number of seconds from 0 to 300',
    example: 10,
  }),
  transaction_timeout: seconds({
    doc: 'The longest from the final dot to the last reply to the MTA, whatever backends still owe then (451). Below what the MTA waits (Postfix: lmtp_data_done_timeout, 600).',
    default: 500,
  }),
  late_timeout: seconds({
    doc: 'How long a backend is listened to that has not answered in time: what it has taken all the same is remembered, so that the MTA does not deliver it twice.',
    default: 300,
  }),
  remember_for: seconds({
    doc: 'How long it is remembered that a message was delivered when the MTA could not be told: longer than the MTA waits between attempts (Postfix: maximal_backoff_time, 4000).',
    default: 86_400,
  }),
  check_after: seconds({
    doc: 'A connection to a backend that was unused for so long is asked NOOP before it is used again.',
    default: 15,
  }),
  breaker_failures: count({
    doc: 'After so many failures in a row to connect or to be greeted a backend is not tried for each message any more, but asked again every breaker_pause.',
    min: 1,
    max: 1_000_000,
    default: 5,
  }),
  breaker_pause: seconds({
    doc: 'The time between two attempts at a backend that is away.',
    default: 5,
  }),
  failback_after: seconds({
    doc: 'How long one of several addresses of a backend is tried last after it has failed; then in its turn again.',
    default: 60,
  }),
  memory_limit: count({
    doc: 'The most that one process holds of all messages under way; above it MTAs are held back until backends have taken some of it.',
    unit: 'bytes',
    min: 1_048_576,
    max: 1_099_511_627_776,
    default: 268_435_456,
  }),
  spool_after: seconds({
    doc: 'How long the slowest of several backends may hold back a message for the others; then what it has not taken goes to a file.',
    default: 1,
  }),
  spool: key(z.exactOptional(z.string().startsWith('/')), {
    doc: 'The folder for those files. They have no name there, and end with their message.',
    expects: 'an absolute path',
    example: '/var/spool/rookery',
    otherwise: 'the folder spool in data',
  }),
  spool_limit: count({
    doc: 'The most that one process has in such files at a time; recipients whose backend would need more are put off (452 4.3.1).',
    unit: 'bytes',
    min: 0,
    max: 1_099_511_627_776,
    default: 1_073_741_824,
  }),
};

const recipients = {
  lmtp_downcase_rcpt: flag({
    doc: 'Lower-case the user and the domain of a recipient before it is looked up; never the +detail.',
    default: true,
  }),
  lmtp_strict_rfc2821: flag({
    doc: 'Refuse octets above 127 in addresses. When off they are taken and kept as they are (Cyrus changes each to X, another mailbox than was meant).',
    default: true,
  }),
  virtdomains: choice(['off', 'userid', 'on'], {
    doc: "Whether a recipient's domain is part of the mailbox's name. Off: the domain is ignored.",
    default: 'off',
    example: 'userid',
  }),
  defaultdomain: key(hostName.default('internal'), {
    doc: 'The domain whose mailboxes carry no domain in their name.',
    expects: 'a domain name',
    example: 'example.org',
  }),
  unixhierarchysep: flag({
    doc: 'The separator in +detail: on for `/`, off for `.`. The same as on the backends.',
    default: true,
  }),
  postuser: key(
    z
      .string()
      .regex(/^[^\x00-\x20\x7f+@]*$/)
      .default(''),
    {
      doc: 'The user whose +detail names a shared mailbox: with `bb`, bb+news.local is delivered to news.local. Empty: +news.local is.',
      expects: 'a local part without @, + or spaces, or nothing',
      example: 'bb',
    },
  ),
  lmtp_fuzzy_mailbox_match: flag({
    doc: 'Deliver to the shared mailbox whose name is closest where there is none of that name: case does not count, `-`, `_` and a space are the same, and where a folder is not there the one above it is taken.',
    default: false,
  }),
  lmtp_catchall_mailbox: key(
    z
      .string()
      .regex(/^(?:[!#-'*\-./0-9=?A-Z^-~]+(?:@[A-Za-z0-9._-]+)?)?$/)
      .default(''),
    {
      doc: 'The user who gets mail to recipients that do not exist (or whose shared mailbox may not be posted to). Empty: they are refused. Mail that is put off is never given to him.',
      expects: 'a local part without + or quotes, with or without a domain, or nothing',
      example: 'catchall@example.org',
    },
  ),
};

export const lmtpSection = key(
  z.strictObject({ ...listenKeys, ...limits, ...processes, ...delivery, ...recipients }).prefault({}),
  {
    doc: 'Delivery by LMTP (role lmtp): where MTAs deliver to, limits, and how recipients are read, by the names Cyrus has for it.',
    expects: 'a section of keys',
    example: { listen: [{ host: '127.0.0.1', port: 2003 }] },
  },
);
