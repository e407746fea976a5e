// What moves cost on real Cyrus servers: how many a minute beside a loop of renames, how long mail is put off, and how soon it goes on.
import { once } from 'node:events';
import { fork } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Change } from '../../services/directory/directory.ts';
import type { Move } from '../../services/moves/move.ts';
import { makeUsers } from '../harness/mail-users.ts';
import type { MailUser } from '../harness/mail-users.ts';
import { figure, median, percentile, table, wholeNumber } from './figures.ts';
import type { Probed } from './moves-prober.ts';
import { MovesStand } from './moves-stand.ts';
import type { Cpu } from './moves-stand.ts';

const parts = ['rate', 'held', 'after'] as const;
type Part = (typeof parts)[number];

const usage = `Usage: node test/bench/moves.ts [--part rate|held|after]... [--users N] [--rounds N] [--sizes SIZE,...]
                                [--moves N]

Two real Cyrus backends and a frontend (needs root, and the Debian packages that npm test brings), with Rookery as their
directory in three processes: directory and a proxy, a second proxy, a worker. moves.observe is 0, so that watching what is
moved does not count as work. All that is measured moves the same users to and fro.

rate    moves a minute, --users of 5 messages and 2 folders: a loop of renamemailbox in one session of cyradm at the
        frontend, a loop of XFER in one session at the source, and rookery move plan and start with limits 1, 4 and 8
        (from the start to the end of the run; planning is not counted). In turn, --rounds times.
held    for how long mail is put off, by size of tree (messages, or folders as 50f), --rounds times, one at a time.
after   how soon after a move each of two proxies takes mail, asked each millisecond, over --moves moves of small users.

Defaults: all parts, 20 users, 5 rounds, sizes 5,1000,10000,50f, 200 moves.`;

const limits = [1, 4, 8] as const;

/** How many users of a size; the large ones take long. */
const ofSize = 3;

const userOf = (inbox: string, messages: number, folders: number): MailUser => ({
  ...{ inbox, messages, storageKiB: 10_000_000 },
  folders: Array.from({ length: folders }, (_, at) => `F${at}`),
});

const namesOf = (users: readonly MailUser[]) => users.map(({ inbox }) => inbox);

const load = () => `load ${figure(loadavg()[0] ?? Number.NaN, 1)}`;

/** Users that go to and fro. */
class Shuttle {
  readonly names: readonly string[];
  #at: 'mail1' | 'mail2' = 'mail1';

  constructor(names: readonly string[]) {
    this.names = names;
  }

  next(): { from: 'mail1' | 'mail2'; to: 'mail1' | 'mail2' } {
    const from = this.#at;
    this.#at = from === 'mail1' ? 'mail2' : 'mail1';
    return { from, to: this.#at };
  }
}

interface Way {
  name: string;
  /** Seconds that all of the users took. */
  go: (stand: MovesStand, shuttle: Shuttle) => Promise<number>;
  perMinute: number[];
  /** CPU time of one move, in milliseconds. */
  costs: Cpu[];
  /** Of ours: the moves. */
  moves: Move[];
}

function ways(): Way[] {
  const none = () => ({ perMinute: [], costs: [], moves: [] });
  return [
    { ...none(), name: 'cyradm renamemailbox', go: (stand, users) => stand.cyradm(users.names, users.next().to) },
    {
      ...{ ...none(), name: 'XFER, one session' },
      go: (stand, users) => {
        const { from, to } = users.next();
        return stand.xfer(users.names, from, to);
      },
    },
    ...limits.map((limit): Way => {
      const moves: Move[] = [];
      const go = async (stand: MovesStand, users: Shuttle) => {
        const outcome = await stand.run(users.names, users.next().to, limit);
        moves.push(...outcome.moves);
        return outcome.seconds;
      };
      return { ...none(), name: `rookery, ${limit} at a time`, moves, go };
    }),
  ];
}

async function rate(stand: MovesStand, users: number, rounds: number): Promise<void> {
  const all = Array.from({ length: users }, (_, at) => userOf(`user.r${at}`, 5, 2));
  await makeUsers(stand.murder.cyrus.node('mail1'), all);
  const shuttle = new Shuttle(namesOf(all));
  const measured = ways();
  // The first one is for getting warm.
  for (let round = 0; round <= rounds; round += 1) {
    for (const way of measured) {
      await stand.settled();
      const before = stand.cpu();
      const seconds = await way.go(stand, shuttle);
      const after = stand.cpu();
      if (round === 0) continue;
      way.perMinute.push((60 * users) / seconds);
      const each = (of: keyof Cpu) => (after[of] - before[of]) / users;
      way.costs.push({
        worker: each('worker'),
        directory: each('directory'),
        redis: each('redis'),
        cyrus: each('cyrus'),
      });
    }
    console.log(`round ${round} of ${rounds}, ${load()}`);
  }
  const [first] = measured;
  const base = median(first?.perMinute ?? []);
  const rows = measured.map(({ name, perMinute, costs }) => {
    const cost = (of: keyof Cpu) => figure(median(costs.map((one) => one[of])));
    const [middle, low, high] = [median(perMinute), Math.min(...perMinute), Math.max(...perMinute)];
    const told = [figure(middle), `${figure(low)}-${figure(high)}`, figure(middle / base, 2)];
    return [name, ...told, cost('worker'), cost('directory'), cost('redis'), cost('cyrus')];
  });
  const head = ['', 'moves/min', 'from-to', 'ratio', 'worker ms', 'directory ms', 'redis ms', 'cyrus ms'];
  console.log(
    `\n${users} users of 5 messages, 2 folders; medians of ${rounds}; CPU a move\n\n${table([head, ...rows])}\n`,
  );
  console.log(`where the time of a move goes, p50 in milliseconds\n\n${table(stagesOf(measured))}\n`);
}

type Moment = keyof Move['times'];

const stages: readonly (readonly [name: string, from: Moment, to: Moment])[] = [
  ['check', 'begun', 'held'],
  ['hold, manifest', 'held', 'cut'],
  ['cut', 'cut', 'answered'],
  ['verify', 'answered', 'released'],
  ['end', 'released', 'ended'],
];

/** By what the moves' records say. */
function stagesOf(measured: readonly Way[]): string[][] {
  const at = ({ times }: Move, moment: Moment) => times[moment] ?? Number.NaN;
  const rows = measured.filter(({ moves }) => moves.length > 0);
  return [
    ['', 'begins after', ...stages.map(([name]) => name)],
    ...rows.map(({ name, moves }) => [
      name,
      figure(median(moves.map((move) => at(move, 'begun') - move.since))),
      ...stages.map(([, from, to]) => figure(median(moves.map((move) => at(move, to) - at(move, from))))),
    ]),
  ];
}

interface Times {
  before: number;
  held: number;
  handed: number;
  copied: boolean;
}

async function held(stand: MovesStand, sizes: readonly string[], rounds: number): Promise<void> {
  const head = ['tree', 'moves', 'pre-copied', 'before p50', 'held p50', 'held p99', 'max', 'handed p50', 'handed p99'];
  const rows = [head];
  for (const size of sizes) {
    const count = Number.parseInt(size, 10);
    const isFolders = size.endsWith('f');
    const all = Array.from({ length: ofSize }, (_, at) =>
      isFolders ? userOf(`user.h${size}${at}`, 5, count) : userOf(`user.h${size}${at}`, count, 0),
    );
    await makeUsers(stand.murder.cyrus.node('mail1'), all, '.', 2);
    const shuttle = new Shuttle(namesOf(all));
    const found: Times[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      await stand.settled();
      const { moves, changes } = await stand.run(shuttle.names, shuttle.next().to, 1);
      if (round > 0) found.push(...moves.map((move) => timesOf(move, changes)));
    }
    const ms = (of: (times: Times) => number, share: number) => figure(percentile(found.map(of), share));
    rows.push([
      isFolders ? `${count} folders` : `${count} messages`,
      ...[String(found.length), String(found.filter(({ copied }) => copied).length)],
      ...[ms(({ before }) => before, 0.5), ms((one) => one.held, 0.5), ms((one) => one.held, 0.99)],
      ...[ms((one) => one.held, 1), ms(({ handed }) => handed, 0.5), ms(({ handed }) => handed, 0.99)],
    ]);
    console.log(`${size}: ${load()}`);
  }
  console.log(`\nmilliseconds; before: check and pre-copy, mail flows\n\n${table(rows)}\n`);
}

/** Of the tree's rows: the first DEACTIVATE to the last ACTIVATE. */
function timesOf({ name, times }: Move, changes: readonly Change[]): Times {
  const ofTree = changes.filter((change) => change.name === name || change.name.startsWith(`${name}.`));
  const at = (cause: string) => ofTree.filter((change) => change.cause === cause).map(({ time }) => time);
  const { begun = Number.NaN, held: from = Number.NaN, released = Number.NaN, copied } = times;
  const handed = Math.max(...at('ACTIVATE')) - Math.min(...at('DEACTIVATE'));
  return { before: from - begun, held: released - from, handed, copied: copied !== undefined };
}

async function after(stand: MovesStand, moves: number): Promise<void> {
  const count = Math.min(moves, 25);
  const all = Array.from({ length: count }, (_, at) => userOf(`user.a${at}`, 5, 0));
  await makeUsers(stand.murder.cyrus.node('mail1'), all);
  const shuttle = new Shuttle(namesOf(all));
  const probed: Probed[] = [];
  while (probed.length < moves) {
    await stand.settled();
    const task = JSON.stringify({ socket: stand.socket, proxies: stand.proxies });
    const prober = fork(join(import.meta.dirname, 'moves-prober.ts'), [task]);
    await once(prober, 'message');
    await stand.run(shuttle.names, shuttle.next().to, 1);
    prober.send('end');
    const [found] = (await once(prober, 'message')) as [Probed[]];
    probed.push(...found);
    console.log(`${probed.length} of ${moves} moves, ${load()}`);
  }
  const wrong = probed.flatMap((one) => one.wrong);
  const rows = [['proxy', 'moves', 'put off', 'released p50', 'p99', 'max', 'ACTIVATE p50', 'p99', 'max']];
  for (const at of stand.proxies.keys()) {
    const since = (of: 'released' | 'activated') =>
      probed.map((one) => (one.taken[at] ?? Number.NaN) - (one[of] ?? Number.NaN));
    const ms = (of: 'released' | 'activated') => [0.5, 0.99, 1].map((share) => figure(percentile(since(of), share)));
    const deferred = probed.reduce((sum, one) => sum + (one.deferred[at] ?? 0), 0);
    rows.push([String(at + 1), String(probed.length), String(deferred), ...ms('released'), ...ms('activated')]);
  }
  const told = wrong.length === 0 ? 'none was anything but 250 or 4xx' : `wrong: ${[...new Set(wrong)].join('; ')}`;
  const took = probed.flatMap((one) => one.took);
  const usual = [0.5, 0.99].map((share) => figure(percentile(took, share), 1)).join(' and ');
  console.log(`\nany reply takes ${usual} ms (p50, p99)`);
  console.log(`milliseconds to the first 250 to RCPT; of all replies ${told}\n\n${table(rows)}\n`);
}

const { values } = parseArgs({
  options: {
    ...{ part: { type: 'string', multiple: true, default: [...parts] }, users: { type: 'string', default: '20' } },
    ...{ rounds: { type: 'string', default: '5' }, sizes: { type: 'string', default: '5,1000,10000,50f' } },
    ...{ moves: { type: 'string', default: '200' }, help: { type: 'boolean' } },
  },
});
const wanted = values.part;
const sizes = values.sizes.split(',');

if (values.help === true) console.log(usage);
else if (wanted.some((part) => !parts.includes(part as Part)) || sizes.some((size) => !/^\d+f?$/.test(size))) {
  console.error(usage);
  process.exitCode = 64;
} else {
  const rounds = wholeNumber('rounds', values.rounds);
  const stand = await MovesStand.start(Math.max(...limits));
  try {
    console.log(load());
    if (wanted.includes('rate')) await rate(stand, wholeNumber('users', values.users), rounds);
    if (wanted.includes('after')) await after(stand, wholeNumber('moves', values.moves));
    if (wanted.includes('held')) await held(stand, sizes, rounds);
  } finally {
    await stand.stop();
  }
}
