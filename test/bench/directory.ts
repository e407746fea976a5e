// What the directory costs: Redis bytes per mailbox, the time to load it as backends do, and a lookup's latency.
import { parseArgs } from 'node:util';
import type { Redis } from 'ioredis';
import { keyNames, shardPrefix } from '../../services/directory/redis/keys.ts';
import { openScratchDirectory, type ScratchDirectory } from '../harness/directory.ts';
import { startRedis } from '../harness/redis.ts';
import { figure, percentile, table, wholeNumber } from './figures.ts';

const usage = `Usage: node test/bench/directory.ts [--mailboxes N] [--trees N] [--changes N] [--writers N]
         [--lookups N] [--appendfsync always|everysec|no]

Loads mailboxes into a scratch Redis through the real directory, and prints what that took. Defaults: 100000 mailboxes
in 10000 trees, a change log of 100000, 50 writers at a time, 20000 lookups, appendfsync always.`;

const servers = ['mail1.example.org', 'mail2.example.org', 'mail3.example.org', 'mail4.example.org'];
/** Names as users have them; longer trees go on with numbers. */
const folders = ['Drafts', 'Sent', 'Trash', 'Junk', 'Archive', 'Archive.2024', 'Archive.2025', 'Lists', 'Lists.cyrus'];

interface Row {
  name: string;
  server: string;
  acl: string;
}

/** Mailbox number `index` of `mailboxes` spread evenly over `trees` users; users are spread over the servers. */
function row(index: number, trees: number): Row {
  const user = index % trees;
  const folder = Math.floor(index / trees);
  const id = `u${String(user).padStart(6, '0')}`;
  const below = folder === 0 ? '' : `.${folders[folder - 1] ?? `Folder${folder}`}`;
  return { name: `user.${id}${below}`, server: servers[user % servers.length] ?? '', acl: `${id}\tlrswipkxtecdan\t` };
}

/** Calls `one` for 0 to `count` - 1, `width` at a time; the first failure ends it. */
async function inParallel(count: number, width: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

async function load(scratch: ScratchDirectory, options: Options): Promise<number> {
  const begin = performance.now();
  await inParallel(options.mailboxes, options.writers, async (index) => {
    const { name, server, acl } = row(index, options.trees);
    const write = { verb: 'ACTIVATE' as const, name, location: `${server}!default`, acl };
    const answer = await scratch.directory.write(write, {
      session: `bench-${server}`,
      server,
      admin: false,
      push: true,
    });
    if (!answer.ok) throw new Error(`ACTIVATE ${name}: ${answer.text}`);
  });
  return (performance.now() - begin) / 1000;
}

/** Latencies in milliseconds of `count` lookups of one name each. */
async function lookups(scratch: ScratchDirectory, options: Options, width: number, known: boolean): Promise<number[]> {
  const latencies: number[] = [];
  await inParallel(options.lookups, width, async () => {
    const { name } = row(Math.floor(Math.random() * options.trees), options.trees);
    const begin = performance.now();
    const { entries } = await scratch.directory.lookup([known ? name : `${name}-unknown`]);
    latencies.push(performance.now() - begin);
    if ((entries[0] !== undefined) !== known)
      throw new Error(`the lookup of ${name} found ${known ? 'nothing' : 'it'}`);
  });
  return latencies;
}

async function usedMemory(redis: Redis): Promise<number> {
  const line = /^used_memory:(\d+)/m.exec(await redis.info('memory'));
  if (!line) throw new Error('Redis does not say how much memory it uses');
  return Number(line[1]);
}

/** Bytes of keys of the first shard, by what they are for; keys that are not there count nothing. */
async function keyMemory(redis: Redis): Promise<Map<string, number>> {
  const bytes = new Map<string, number>();
  for await (const keys of redis.scanStream({ count: 1000 })) {
    for (const key of keys as string[]) {
      const purpose = key.slice(shardPrefix(0).length).split(':')[0] ?? '';
      const size = (await redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0;
      bytes.set(purpose, (bytes.get(purpose) ?? 0) + size);
    }
  }
  return bytes;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function measure(scratch: ScratchDirectory, options: Options): Promise<void> {
  const { redis, directory } = scratch;
  const empty = await usedMemory(redis);
  const seconds = await load(scratch, options);
  const full = await usedMemory(redis);
  const changes = await redis.xlen(shardPrefix(0) + keyNames.log);
  const keys = await keyMemory(redis);
  // Taken away rather than added up: what Redis has left without it is what the rows and their indexes need.
  await redis.xtrim(shardPrefix(0) + keyNames.log, 'MAXLEN', 0);
  const rows = (await usedMemory(redis)) - empty;

  const each = (bytes: number) => figure(bytes / options.mailboxes, 1);
  const log = full - empty - rows;
  const head = ['', 'bytes', 'a mailbox'];
  const version = /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown';
  const shape = `${options.mailboxes} mailboxes in ${options.trees} trees`;
  console.log(`${shape}, Redis ${version}, appendfsync ${options.appendfsync}, Node ${process.versions.node}\n`);
  console.log(
    table([
      head,
      ['rows and indexes', figure(rows), each(rows)],
      ...[...keys]
        .filter(([purpose]) => purpose !== 'log')
        .map(([purpose, size]) => [`  ${purpose}`, figure(size), each(size)]),
      [
        `change log (${changes} changes, bound ${options.changes})`,
        figure(log),
        `${figure(log / changes, 1)} a change`,
      ],
    ]),
  );
  const rate = figure(options.mailboxes / seconds);
  console.log(`\nloaded in ${figure(seconds, 1)} s by ${options.writers} writers at a time: ${rate} writes/s\n`);

  const latency = (what: string, values: number[]) => [
    what,
    figure(percentile(values, 0.5), 3),
    figure(percentile(values, 0.99), 3),
  ];
  console.log(
    table([
      ['lookup, ms', 'p50', 'p99'],
      latency('found, one at a time', await lookups(scratch, options, 1, true)),
      latency('not found, one at a time', await lookups(scratch, options, 1, false)),
      latency('found, 50 at a time', await lookups(scratch, options, 50, true)),
    ]),
  );
  const list = await timed(() => directory.list(`${servers[0]}!`));
  const snapshot = await timed(() => directory.snapshot());
  console.log(
    `\nLIST of one of ${servers.length} servers: ${figure(list)} ms; snapshot of all: ${figure(snapshot)} ms`,
  );
}

interface Options {
  mailboxes: number;
  trees: number;
  changes: number;
  writers: number;
  lookups: number;
  appendfsync: 'always' | 'everysec' | 'no';
}

function optionsFrom(): Options {
  const { values } = parseArgs({
    options: {
      mailboxes: { type: 'string', default: '100000' },
      trees: { type: 'string', default: '10000' },
      changes: { type: 'string', default: '100000' },
      writers: { type: 'string', default: '50' },
      lookups: { type: 'string', default: '20000' },
      appendfsync: { type: 'string', default: 'always' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const { appendfsync } = values;
  if (appendfsync !== 'always' && appendfsync !== 'everysec' && appendfsync !== 'no') {
    console.error(`--appendfsync is '${appendfsync}', but must be always, everysec or no`);
    process.exit(64);
  }
  const number = (option: 'mailboxes' | 'trees' | 'changes' | 'writers' | 'lookups') =>
    wholeNumber(option, values[option]);
  return {
    ...{ mailboxes: number('mailboxes'), trees: number('trees'), changes: number('changes') },
    ...{ writers: number('writers'), lookups: number('lookups'), appendfsync },
  };
}

const options = optionsFrom();
const redis = await startRedis({ appendfsync: options.appendfsync });
try {
  const scratch = await openScratchDirectory(redis.socket, { changeLogLength: options.changes });
  await measure(scratch, options).finally(() => scratch.close());
} finally {
  await redis.stop();
}
