// The section `directory`: the MUPDATE server, who may speak to it, and how long things are kept.
import { z } from 'zod';
import { listener } from './address.ts';
import { key } from './key.ts';
import { choice, count, flag, hostName, ipAddress, seconds, word } from './kinds.ts';
import { passwordKeys } from './secret.ts';

const listen = key(
  z
    .array(listener({ port: 3905, path: '/run/rookery/mupdate.sock' }))
    .min(1)
    .default([{ host: '127.0.0.1', port: 3905 }]),
  {
    doc: 'Where backends and frontends reach the directory by MUPDATE (RFC 3656).',
    expects: 'a list of one or more { host, port } or { path }',
    example: [{ host: '127.0.0.1', port: 3905 }],
  },
);

const user = z.strictObject({
  ...passwordKeys('that the user authenticates with', '/etc/rookery/mail1.secret'),
  server: key(z.exactOptional(hostName), {
    doc: "The backend that the user speaks for, by its name under `backends`: it then writes that backend's rows and no others. Recommended for every backend.",
    expects: 'the name of a backend',
    example: 'mail1.example.org',
    otherwise: 'the backend that has his address among its hosts, else the server that each session names first',
  }),
  host: key(z.exactOptional(ipAddress), {
    doc: "Which of the server's hosts the user is, whatever address he comes from. For two hosts of one servername that have users of their own.",
    expects: "one of the addresses under the hosts of the user's server",
    example: '10.0.0.1',
    otherwise: 'the address that he comes from',
  }),
  access: choice(['read', 'write'], {
    doc: 'Whether the user may change the directory. Frontends only read.',
    default: 'write',
    example: 'read',
  }),
  admin: flag({ doc: "Whether the user may write every server's rows.", default: false }),
});

const users = key(z.record(word.max(255), user).prefault({}), {
  doc: 'Who may speak to the directory, by name.',
  expects: 'a map of user names, each with a password or password_file',
  example: { mail1: { password_file: '/etc/rookery/mail1.secret', server: 'mail1.example.org' } },
});

const rows = {
  shards: count({
    doc: 'Into how many shards the directory is cut when it is made. More than 1 only makes sense on Redis Cluster; an existing directory keeps the number it was made with.',
    min: 1,
    max: 1024,
    default: 1,
  }),
  change_log_length: count({
    doc: 'How many changes each shard keeps for readers to resume from; one that is further behind reads everything anew.',
    min: 1000,
    max: 100_000_000,
    default: 100_000,
  }),
  reservation_max_age: seconds({
    doc: 'After how long at the latest a name reserved by RESERVE and never activated may be taken by another server.',
    default: 3600,
  }),
  reservation_grace: seconds({
    doc: 'How long such a reservation still holds after its session has ended.',
    default: 60,
  }),
  tombstone_grace: seconds({
    doc: 'How long a deleted name is put off rather than refused: the step of a RENAME that deletes may be undone.',
    default: 60,
  }),
  replicas: count({
    doc: 'How many replicas of Redis must have a write before it is acknowledged. One that they do not have in time is undone and refused. Set min-replicas-to-write on the Redis server, too.',
    min: 0,
    max: 10,
    default: 0,
  }),
  replicas_timeout: seconds({
    doc: 'How long the replicas may take to have a write.',
    default: 1,
  }),
  redis_timeout: seconds({
    doc: 'How long the directory waits for an answer of Redis before it says that it could not be asked; a recipient that is not remembered is then put off (451), and others at once until Redis answers again.',
    default: 5,
  }),
  appendfsync: choice(['always', 'everysec', 'no'], {
    doc: 'When the embedded Redis forces accepted writes to disk. always: before they are acknowledged. Of another Redis, its own configuration decides.',
    default: 'always',
  }),
};

const memory = {
  near_cache: count({
    doc: 'How many rows a process that routes mail keeps in memory, some 400 bytes each. They follow the change log, so that most recipients need no question to Redis, and can be delivered while it is away. 0: none.',
    min: 0,
    max: 10_000_000,
    default: 100_000,
  }),
  routing_lease: seconds({
    doc: 'How long rows in memory are good without a sign of life of Redis; whoever moves a mailbox waits for so long for a process that is silent. It is renewed each fifth of it.',
    default: 10,
  }),
  max_stale: seconds({
    doc: 'How long, while Redis is away, mail is delivered by rows in memory whose lease has ended. Never to a server with several hosts: which one is in charge may have changed.',
    default: 3600,
  }),
};

const sessions = {
  sessions_limit: count({
    doc: 'The most MUPDATE sessions at a time; a further one is told BYE. A Cyrus backend opens one for each operation of its users (its mupdate_connections_max, 128).',
    min: 1,
    max: 100_000,
    default: 1024,
  }),
  unauthenticated_limit: count({
    doc: 'Of these, the most that have not authenticated yet; for a further one the oldest of them goes.',
    min: 1,
    max: 100_000,
    default: 128,
  }),
  login_timeout: seconds({ doc: 'How long a client may take to authenticate.', default: 30 }),
  failedloginpause: seconds({ doc: 'How long a failed AUTHENTICATE waits for its answer.', default: 3 }),
  idle_timeout: seconds({
    doc: 'How long an authenticated session may keep silent before it is closed. RFC 3656 section 2 asks for 15 minutes at least.',
    default: 1800,
  }),
  stall_timeout: seconds({
    doc: 'How long a client may leave unread what it is sent, once that is more than output_limit.',
    default: 60,
  }),
  output_limit: count({
    doc: 'How much may wait for a client that reads slowly; above it, no more is made for it.',
    unit: 'bytes',
    min: 65_536,
    max: 2_147_483_647,
    default: 1_048_576,
  }),
  resend_rate: count({
    doc: "How many rows a second UPDATE sends once more after its list, behind those that a Cyrus frontend may have lost in merging it: so many that changes need not wait behind them. Cyrus' frontends take in some 600 to 1,300 a second.",
    min: 10,
    max: 1_000_000,
    default: 200,
  }),
  updates_at_once: count({
    doc: 'How many clients of UPDATE are sent their list at a time; further ones wait for their turn. All frontends come back at once after a restart.',
    min: 1,
    max: 1000,
    default: 8,
  }),
  line_limit: count({
    doc: 'The longest command line taken, without its literals.',
    unit: 'bytes',
    min: 4096, // RFC 3656 section 2
    max: 16_777_216,
    default: 16_384,
  }),
  literal_limit: count({
    doc: 'The longest literal taken; an ACL is the longest there is. A longer one is refused before it is read.',
    unit: 'bytes',
    min: 4096,
    max: 16_777_216,
    default: 131_072,
  }),
  command_limit: count({
    doc: 'The most bytes in all literals of one command together.',
    unit: 'bytes',
    min: 4096,
    max: 67_108_864,
    default: 262_144,
  }),
};

export const directorySection = key(
  z
    .strictObject({
      policy: choice(['strict', 'cyrus'], {
        doc: 'By which rules writes are granted. strict: nobody overwrites the row of another server. cyrus: answers as Cyrus 3.6 gives them, but what kills its master is answered.',
        default: 'strict',
      }),
      listen,
      users,
      ...rows,
      ...memory,
      ...sessions,
    })
    .prefault({}),
  {
    doc: 'The directory (role directory): where every mailbox lives, spoken to by MUPDATE, kept in Redis.',
    expects: 'a section of keys',
    example: { listen: [{ host: '127.0.0.1', port: 3905 }] },
  },
);
