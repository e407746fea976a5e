// What the benchmark of delivery is asked for on its command line.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wholeNumber } from './figures.ts';
import { setSize } from './lmtp-mailboxes.ts';
import { ways, type StandOptions, type Way } from './lmtp-stand.ts';

const usage = `Usage: node test/bench/lmtp.ts [--rows LIST] [--without LIST] [--workers 1|auto] [--rounds N] ...

Sends messages by smtp-source to smtp-sink (both Postfix'): directly, through haproxy in TCP mode, Dovecot's LMTP proxy, a
Cyrus frontend, and Rookery, one after the other in every round, and prints medians and ratios. Everything runs on this
machine and shares its cores; CPU time per message does not depend on that. Needs root, postfix, haproxy, and for Dovecot
and Cyrus what npm test brings.

Recipients come from all mailboxes in turn, and Rookery logs each to a file. It runs twice: \`rookery\` as it is
shipped, with room for 100,000 rows in memory, where nearly all recipients come from, since it has seen them before;
\`lookups\` with room for --near-cache rows, too few for a recipient to be still known when he comes again, so that
each is looked up in Redis once a message. The Cyrus frontend has the same mailboxes, from Rookery's directory, and
logs to a syslog. haproxy and Dovecot look nothing up; Dovecot logs to a file. With --workers 1 haproxy has one
thread, Dovecot one process, Rookery one; with auto each has as many as there are cores. Cyrus always has a process
for each session. CPU time is that of all processes of a proxy; the relay before the sinks that answers Cyrus' AUTH
(auth-relay.ts), a hop that only Cyrus has, is not in it, but is in Cyrus' rate.

  two      a message for two recipients on two backends. Beside it smtp-source straight to the two sinks, as an MTA that
           knew both would deliver it: every message to each of them, half of the sessions for each, side by side. A rate is
           messages that have reached both. They are always the same two, and so from memory.
  latency  20 sessions that stay open, envelopes pipelined as Postfix does, 4 KB, at a fixed rate: half of what the slower
           of haproxy and Rookery passed (20 sessions, many messages a connection), or --rate. From the moment a message is
           due to its reply, less the same figure measured directly at the same rate.
  idle     plain sessions that have said LHLO: growth of Rookery's resident memory, for each.

  --rows LIST       of load,two,latency,idle (default all)
  --without LIST    of haproxy,dovecot,cyrus,lookups: leaves them out
  --workers N       1 or auto (default 1)
  --rounds N        runs of each way per row (default 5)
  --seconds N       how long a run is to take, about (default 1)
  --sizes LIST      message bodies in bytes (default 4096,65536,1048576)
  --messages LIST   one,many: messages a connection (default both)
  --sessions LIST   sessions at a time (default 1,20)
  --idle N          how many idle sessions (default 10000)
  --rate N          messages a second for latency
  --mailboxes N     in the directory, ${setSize} at least (default 100000)
  --near-cache N    rows that \`lookups\` may keep in memory (default 500; 0: each recipient is looked up twice)
  --connections N   the most connections of Rookery to a backend (default 20)
  --dovecot FOLDER  where dovecot-core and dovecot-lmtpd are unpacked (default: they are fetched by apt-get download)
  --program FILE    the proxy (default services/cli/rookery of this checkout)
  --profile FOLDER  writes a V8 CPU profile of Rookery there`;

const rowNames = ['load', 'two', 'latency', 'idle'] as const;
const optional = ['haproxy', 'dovecot', 'cyrus', 'lookups'] as const;

export interface Options extends StandOptions {
  rows: readonly (typeof rowNames)[number][];
  rounds: number;
  seconds: number;
  sizes: number[];
  sessions: number[];
  messages: readonly ('one' | 'many')[];
  idle: number;
  rate: number | undefined;
}

/** Ends the process with a sentence where it can't be done (EX_USAGE). */
export function optionsFrom(): Options {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      ...{ rows: text(rowNames.join()), without: text(''), workers: text('1'), rounds: text('5'), seconds: text('1') },
      ...{ sizes: text('4096,65536,1048576'), messages: text('one,many'), sessions: text('1,20') },
      ...{ idle: text('10000'), mailboxes: text('100000'), 'near-cache': text('500'), connections: text('20') },
      program: text(join(import.meta.dirname, '../../services/cli/rookery')),
      ...{ rate: { type: 'string' }, dovecot: { type: 'string' }, profile: { type: 'string' } },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const number = (option: 'rounds' | 'seconds' | 'idle' | 'mailboxes' | 'connections') =>
    wholeNumber(option, values[option]);
  const numbers = (option: 'sizes' | 'sessions') =>
    values[option].split(',').map((value) => wholeNumber(option, value));
  const without = some('without', values.without, optional);
  const [workers] = some('workers', values.workers, ['1', 'auto']);
  const left = ways.filter((way: Way) => !without.some((name) => name === way));
  return {
    ...{ rows: some('rows', values.rows, rowNames), ways: left, workers: workers === 'auto' ? 'auto' : 1 },
    ...{ rounds: number('rounds'), seconds: number('seconds'), idle: number('idle'), sizes: numbers('sizes') },
    ...{ sessions: numbers('sessions'), messages: some('messages', values.messages, ['one', 'many']) },
    rate: values.rate === undefined ? undefined : wholeNumber('rate', values.rate),
    mailboxes: Math.max(setSize, number('mailboxes')),
    nearCache: values['near-cache'] === '0' ? 0 : wholeNumber('near-cache', values['near-cache']),
    ...{ connections: number('connections'), program: values.program },
    ...{ dovecot: values.dovecot, profile: values.profile },
  };
}

function some<T extends string>(option: string, value: string, known: readonly T[]): T[] {
  const words = value.split(',').filter((word) => word !== '');
  const chosen = known.filter((word) => words.includes(word));
  if (chosen.length === words.length) return chosen;
  console.error(`--${option} is '${value}', but must be of ${known.join(', ')}`);
  return process.exit(64);
}
