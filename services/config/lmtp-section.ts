// The section `lmtp`: where MTAs deliver to, what a session may ask for, and how a recipient is read.
import { z } from 'zod';
import { listener } from './address.ts';
import { key } from './key.ts';
import { choice, count, flag, hostName, seconds } from './kinds.ts';

const listen = key(
  z
    .array(listener({ port: 2003, path: '/run/rookery/lmtp.sock' }))
    .min(1)
    .default([{ host: '127.0.0.1', port: 2003 }]),
  {
    doc: 'Where MTAs deliver to by LMTP: TCP ports and Unix sockets.',
    expects: 'a list of one or more { host, port } or { path }',
    example: [{ host: '127.0.0.1', port: 2003 }, { path: '/run/rookery/lmtp.sock' }],
  },
);

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

export const lmtpSection = key(z.strictObject({ listen, ...limits, ...delivery, ...recipients }).prefault({}), {
  doc: 'Delivery by LMTP (role lmtp): where MTAs deliver to, limits, and how recipients are read, by the names Cyrus has for it.',
  expects: 'a section of keys',
  example: { listen: [{ host: '127.0.0.1', port: 2003 }] },
});
