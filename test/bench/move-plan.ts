// What a plan of moves costs: time and memory of evacuating a server of 100,000 users, with the sizes that it tells and without.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writePlan } from '../../services/cli/move-plan-file.ts';
import { configSchema } from '../../services/config/schema.ts';
import { planSummary } from '../../services/cli/move-plan-view.ts';
import { openPlanning } from '../../services/process/open-planning.ts';
import { onPlanning } from '../../services/process/operations.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { startRedis } from '../harness/redis.ts';
import { figure, table, wholeNumber } from './figures.ts';

const usage = `Usage: node test/bench/move-plan.ts [--users N] [--folders N] [--writers N]

Loads users of mail1 with so many folders each into a scratch Redis, and plans the evacuation of mail1 to three other
servers, each time in a process of its own: with quotas told by an IMAP server (a script in another process), with sizes
counted by it where there is no quota, and without sizes. Defaults: 100000 users, 2 folders, 50 writers.`;

interface Task {
  socket: string;
  port: number;
  file: string;
  sizes: boolean;
}

interface Cost {
  seconds: number;
  /** Of the process, with its start; in seconds. */
  cpu: number;
  /** Of the whole process, in bytes. */
  peak: number;
  moves: number;
  summary: string[];
}

/** An IMAP server that has a quota for everybody (or nobody), and tells sizes that follow from the name. */
async function serveSizes(hasQuotas: boolean): Promise<void> {
  const server = createServer((socket) => {
    let received = '';
    socket.setNoDelay(true).write('* OK mail1 Cyrus IMAP 3.6.1 server ready\r\n');
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const lines = (received + bytes.toString('latin1')).split('\r\n');
      received = lines.pop() ?? '';
      socket.write(lines.map((line) => answerTo(line, hasQuotas)).join(''), 'latin1');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
  process.once('disconnect', () => process.exit());
}

function answerTo(line: string, hasQuotas: boolean): string {
  const [tag = '', verb = ''] = line.split(' ');
  const name = /"([^"]+)"/.exec(line.replace('LIST ""', ''))?.[1] ?? '';
  const KiB = (Number(/\d+/.exec(name)?.[0] ?? 0) * 7919) % 1_000_000;
  if (verb === 'CAPABILITY') return `* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n${tag} OK\r\n`;
  if (verb === 'NAMESPACE') return `* NAMESPACE NIL (("user/" "/")) (("" "/"))\r\n${tag} OK\r\n`;
  if (verb === 'AUTHENTICATE') {
    authenticating = tag;
    return '+ \r\n';
  }
  if (verb === 'LIST') {
    const status = `* STATUS "${name}" (MESSAGES 3 SIZE ${KiB * 1024})\r\n`;
    return `* LIST (\\HasNoChildren) "/" "${name}"\r\n${status}${tag} OK Completed\r\n`;
  }
  if (verb !== 'GETQUOTA') return `${authenticating} OK Success\r\n`;
  return hasQuotas && name !== ''
    ? `* QUOTA "${name}" (STORAGE ${KiB} 2000000)\r\n${tag} OK Completed\r\n`
    : `${tag} NO Quota root does not exist\r\n`;
}
let authenticating = '';

async function load(socket: string, users: number, folders: number, writers: number): Promise<number> {
  const scratch = await openScratchDirectory(socket);
  const { directory } = scratch;
  const begin = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < users * (folders + 1)) {
      const at = next++;
      const folder = Math.floor(at / users);
      const name = `user.u${String(at % users).padStart(6, '0')}${folder === 0 ? '' : `.Folder${folder}`}`;
      const write = { verb: 'ACTIVATE' as const, name, location: 'mail1!default', acl: 'u\tlrswipkxtecdan\t' };
      await directory.write(write, { session: 'bench', server: 'mail1', admin: false, push: true });
    }
  };
  await Promise.all(Array.from({ length: writers }, lane));
  await scratch.close();
  return (performance.now() - begin) / 1000;
}

/** In a process of its own, so that its memory is that of planning alone. */
async function plan({ socket, port, file, sizes }: Task): Promise<void> {
  const space = (available: number) => ({ partitions: { default: { available, total: 200_000_000_000 } } });
  const imap = { host: '127.0.0.1', port, username: 'cyrus', password: 's3cret' };
  const config = configSchema.parse({
    ...{ servername: 'frontend1', redis: { url: socket } },
    backends: {
      mail1: { imap, placement: space(10_000_000_000) },
      mail2: { imap, placement: space(150_000_000_000) },
      mail3: { imap, placement: space(140_000_000_000) },
      mail4: { imap, placement: space(130_000_000_000) },
    },
  });
  const begin = performance.now();
  const opened = await openPlanning(config);
  const query = { users: [], evacuate: 'mail1', to: [], sizes, limits: {} };
  const made = await onPlanning(opened, config).plan(query, 'bench');
  await writePlan(made, file, true);
  await opened.close();
  const seconds = (performance.now() - begin) / 1000;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const [peak, cpu] = [maxRSS * 1024, (userCPUTime + systemCPUTime) / 1e6];
  process.send?.({ seconds, cpu, peak, moves: made.moves.length, summary: planSummary(made) } satisfies Cost);
  process.disconnect();
}

/** Starts this program in another part, and gives what it says first. */
async function inProcess<T>(...words: string[]): Promise<[T, ChildProcess]> {
  const child = fork(import.meta.filename, words);
  const [said] = (await once(child, 'message')) as [T];
  return [said, child];
}

async function bench(users: number, folders: number, writers: number): Promise<void> {
  const redis = await startRedis();
  const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'));
  try {
    const loading = await load(redis.socket, users, folders, writers);
    console.log(`${users} users, ${users * (folders + 1)} rows, loaded in ${figure(loading)} s`);
    const rows = [['sizes', 'moves', 'seconds', 'CPU s', 'peak MiB', 'file MiB']];
    for (const way of ['quotas', 'counted', 'no sizes']) {
      const [port, server] = await inProcess<number>('--serve', way);
      const file = join(folder, 'bench.plan');
      const task: Task = { socket: redis.socket, port, file, sizes: way !== 'no sizes' };
      const [cost] = await inProcess<Cost>('--plan', JSON.stringify(task));
      server.disconnect();
      if (cost.moves !== users) throw new Error(`of ${users} users only ${cost.moves} were planned`);
      const { size } = await stat(file);
      rows.push([
        way,
        String(cost.moves),
        figure(cost.seconds, 1),
        figure(cost.cpu, 1),
        figure(cost.peak / 2 ** 20),
        figure(size / 2 ** 20),
      ]);
      console.log(cost.summary.join('\n'));
    }
    console.log(table(rows));
  } finally {
    await redis.stop();
    await rm(folder, { recursive: true });
  }
}

const { values } = parseArgs({
  options: {
    ...{ users: { type: 'string', default: '100000' }, folders: { type: 'string', default: '2' } },
    ...{ writers: { type: 'string', default: '50' }, help: { type: 'boolean' } },
    ...{ serve: { type: 'string' }, plan: { type: 'string' } },
  },
});
if (values.help === true) console.log(usage);
else if (values.serve !== undefined) await serveSizes(values.serve === 'quotas');
else if (values.plan !== undefined) await plan(JSON.parse(values.plan) as Task);
else {
  const { users, folders, writers } = values;
  await bench(wholeNumber('users', users), wholeNumber('folders', folders), wholeNumber('writers', writers));
}
