// How fast mail goes through the proxy: smtp-source -> Rookery -> smtp-sink, beside direct and haproxy, interleaved.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { figure, median, table, wholeNumber } from './figures.ts';
import { Stand, ways, type Way } from './lmtp-stand.ts';
import { cpuMs } from './process-cpu.ts';

const usage = `Usage: node test/bench/lmtp.ts [--rounds N] [--seconds N] [--sizes BYTES,...] [--sessions N,...]
         [--connections N] [--program FILE] [--profile FOLDER]

Sends messages by smtp-source (Postfix) to smtp-sink: directly, through haproxy in TCP mode, and through Rookery, one
after the other in every round, and prints the medians. Everything runs on this machine and shares its cores, so a
ratio below 1 is expected of anything in between; CPU time per message does not depend on that.

  --rounds N       runs of each way per row (default 3)
  --seconds N      how long a direct run is to take, about (default 1); the others send as many messages
  --sizes LIST     message bodies in bytes (default 4096,65536)
  --sessions LIST  sessions at a time (default 1,20)
  --connections N  the most connections of the proxy to its backend (default 20)
  --program FILE   the proxy (default services/cli/rookery of this checkout)
  --profile FOLDER writes a V8 CPU profile of the proxy there`;

/** One row of the table: what smtp-source is asked for. */
interface Load {
  size: number;
  sessions: number;
  /** Many messages a connection (`smtp-source -d`), or a connection for each. */
  keepAlive: boolean;
}

/** One run of smtp-source. CPU in milliseconds a message; NaN where no process is in between. */
interface Run {
  rate: number;
  proxyCpu: number;
  redisCpu: number;
}

/** As many recipients have mailboxes; no run sends more messages. */
const mostMessages = 10_000;
/** Postfix' own load generator. */
const generator = 'smtp-source';
/** A run that takes longer than this, in milliseconds, is ended and counts as failed. */
const longestRun = 120_000;

/** Every message to a recipient of its own, so that no cache makes the lookups vanish. */
async function send(stand: Stand, way: Way, load: Load, messages: number): Promise<Run> {
  const shape = ['-l', String(load.size), '-s', String(load.sessions), ...(load.keepAlive ? ['-d'] : [])];
  const to = ['-f', 'sender@example.org', '-N', '-t', 'u@example.org'];
  const args = ['-L', ...shape, '-m', String(messages), ...to, stand.address(way)];
  const before = cpuOf(stand, way);
  const begin = performance.now();
  const source = spawn(generator, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: longestRun });
  let complaint = '';
  source.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString().slice(0, 2000)));
  const [code] = (await once(source, 'close')) as [number | null];
  const seconds = (performance.now() - begin) / 1000;
  if (code !== 0) {
    throw new Error(`${generator} ${args.join(' ')}: ${complaint.trim() || 'took too long'}\n${await stand.lastLog()}`);
  }
  await sleep(50); // what follows the last reply (logging, closing) belongs to the run
  const after = cpuOf(stand, way);
  const each = (total: number) => total / messages;
  return {
    rate: messages / seconds,
    proxyCpu: each(after.proxy - before.proxy),
    redisCpu: each(after.redis - before.redis),
  };
}

function cpuOf(stand: Stand, way: Way): { proxy: number; redis: number } {
  const { proxy, redis } = stand.pids(way);
  return { proxy: proxy ? cpuMs(proxy) : Number.NaN, redis: redis ? cpuMs(redis) : Number.NaN };
}

/** All ways in turn, `rounds` times, each with as many messages as go directly in `seconds`. */
async function compare(stand: Stand, load: Load, options: Options): Promise<Map<Way, Run>> {
  const probe = await send(stand, 'direct', load, 300);
  const messages = Math.min(mostMessages, Math.max(200, Math.round(probe.rate * options.seconds)));
  const runs = new Map<Way, Run[]>(ways.map((way) => [way, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const way of ways) runs.get(way)?.push(await send(stand, way, load, messages));
  }
  const middle = (some: Run[], of: keyof Run) => median(some.map((run) => run[of]));
  return new Map(
    Array.from(runs, ([way, some]) => [
      way,
      { rate: middle(some, 'rate'), proxyCpu: middle(some, 'proxyCpu'), redisCpu: middle(some, 'redisCpu') },
    ]),
  );
}

const head = [
  ...['bytes', 'msgs/conn', 'sessions', 'direct/s', 'haproxy/s', 'rookery/s', 'to direct', 'to haproxy'],
  ...['haproxy ms', 'rookery ms', 'redis ms'],
];

function rowOf(load: Load, figures: Map<Way, Run>): string[] {
  const of = (way: Way) => figures.get(way) ?? { rate: Number.NaN, proxyCpu: Number.NaN, redisCpu: Number.NaN };
  const [direct, haproxy, rookery] = [of('direct'), of('haproxy'), of('rookery')];
  return [
    ...[String(load.size), load.keepAlive ? 'many' : 'one', String(load.sessions)],
    ...[direct, haproxy, rookery].map((run) => figure(run.rate)),
    ...[figure(rookery.rate / direct.rate, 2), figure(rookery.rate / haproxy.rate, 2)],
    ...[haproxy.proxyCpu, rookery.proxyCpu, rookery.redisCpu].map((ms) => figure(ms, 3)),
  ];
}

async function measure(stand: Stand, options: Options): Promise<void> {
  // The compiler's work of the first thousand messages is not what a proxy that runs for months costs.
  for (const way of ways) await send(stand, way, { size: 4096, sessions: 20, keepAlive: true }, 3000);
  for (const way of ways) await send(stand, way, { size: 4096, sessions: 20, keepAlive: false }, 1000);
  const rows = [head];
  for (const size of options.sizes) {
    for (const keepAlive of [false, true]) {
      for (const sessions of options.sessions) {
        const load = { size, sessions, keepAlive };
        rows.push(rowOf(load, await compare(stand, load, options)));
        console.error(`${rows.length - 1} of ${options.sizes.length * options.sessions.length * 2} rows measured`);
      }
    }
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`;
  console.log(`${machine}; medians of ${options.rounds}; ms: CPU time a message\n\n${table(rows)}`);
}

interface Options {
  rounds: number;
  seconds: number;
  sizes: number[];
  sessions: number[];
  connections: number;
  program: string;
  profile: string | undefined;
}

function optionsFrom(): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1' },
      sizes: { type: 'string', default: '4096,65536' },
      sessions: { type: 'string', default: '1,20' },
      connections: { type: 'string', default: '20' },
      program: { type: 'string', default: join(import.meta.dirname, '../../services/cli/rookery') },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const list = (option: 'sizes' | 'sessions') => values[option].split(',').map((value) => wholeNumber(option, value));
  return {
    ...{ rounds: wholeNumber('rounds', values.rounds), seconds: wholeNumber('seconds', values.seconds) },
    ...{ sizes: list('sizes'), sessions: list('sessions') },
    ...{
      connections: wholeNumber('connections', values.connections),
      program: values.program,
      profile: values.profile,
    },
  };
}

const options = optionsFrom();
const stand = await Stand.start({ ...options, recipients: mostMessages });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stand.stop().finally(() => process.exit(130)));
}
try {
  await measure(stand, options);
} finally {
  await stand.stop();
}
