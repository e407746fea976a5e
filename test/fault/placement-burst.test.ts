// The burst: 8 processes place thousands of users on 10 unequal servers at once, by promises in a real Redis, and none of the
// servers ends far from its ideal level. Beside it, what 8 processes of Cyrus do, each of which has looked once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { seededChance } from '../../services/placement/chance.ts';
import { Promises } from '../../services/placement/promises.ts';
import type { Mode } from '../../services/placement/selection.ts';
import { levels, simulateCyrus } from '../../services/placement/simulation.ts';
import type { Outcome } from '../../services/placement/simulation.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { policyFor, serverOf } from '../harness/placement.ts';
import type { Task, Work } from '../harness/placement-process.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

const processes = 8;
const full = process.env['ROOKERY_TEST_SCALE'] === 'full';
const users = full ? 10_000 : 2_000;

/** Ten servers of 1 to 12 TiB, 25 to 80 percent in use. */
const TiB = 2 ** 30;
const servers = [
  ...[
    [1, 0.5],
    [2, 0.3],
    [2, 0.8],
    [3, 0.6],
    [4, 0.25],
    [6, 0.7],
    [6, 0.45],
    [8, 0.55],
    [10, 0.75],
    [12, 0.35],
  ],
].map(([size = 0, used = 0], at) => serverOf(`mail${at + 1}`, Math.round((1 - used) * size * TiB), size * TiB));
const total = (what: 'availableKiB' | 'totalKiB') =>
  servers.reduce((sum, { partitions }) => sum + (partitions[0]?.[what] ?? 0), 0);
/** So much that the users need 30 percent of all space, however many they are. */
const KiB = Math.floor((0.3 * total('totalKiB')) / users);

let redis: ScratchRedis;
let connection: ReturnType<typeof commandConnection>;
before(async () => {
  redis = await startRedis();
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
});
after(async () => {
  connection.disconnect();
  await redis.stop();
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

/** Starts one of the processes; gives back how to let it go, which resolves to what it has done. */
async function placing(t: TestContext, task: Task): Promise<() => Promise<Work>> {
  const file = join(import.meta.dirname, '../harness/placement-process.ts');
  const child = spawn(process.execPath, [file, redis.socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write(`${JSON.stringify(task)}\n`);
  assert.equal((await lines.next()).value, 'ready');
  return async () => {
    child.stdin.write('go\n');
    return JSON.parse(String((await lines.next()).value)) as Work;
  };
}

/** All of them at once: what they did, where the users went, and how long it took, in milliseconds. */
async function burst(t: TestContext, mode: Mode) {
  const tasks = Array.from({ length: processes }, (_, at) => ({
    servers,
    mode,
    KiB,
    users: users / processes,
    process: at,
  }));
  const gos = await Promise.all(tasks.map((task) => placing(t, task)));
  const begun = performance.now();
  const works = await Promise.all(gos.map((go) => go()));
  const took = performance.now() - begun;
  const promised = (await new Promises(connection).read()).servers;
  const placed = new Map(Array.from(promised, ([name, { users: count }]) => [name, new Map([['default', count]])]));
  for (const [name, { users: count, KiB: space }] of promised) assert.equal(space.get('default'), count * KiB, name);
  return { works, took, outcome: { placed, refused: new Map() } satisfies Outcome };
}

function fills(outcome: Outcome): number[] {
  return levels(servers, outcome, KiB).map(({ fillAfter = 0 }) => fillAfter);
}

const spaces = servers.map(({ partitions }) => partitions[0] ?? { availableKiB: 0, totalKiB: 0 });
const used = ({ availableKiB, totalKiB }: { availableKiB: number; totalKiB: number }) => totalKiB - availableKiB;

/** As water finds its level: the value of `level` at which just all users have gone to those that are below. */
function ideal(level: (value: number) => number[], most: number): number[] {
  let [low, high] = [0, most];
  for (let round = 0; round < 100; round += 1) {
    const middle = (low + high) / 2;
    const taken = level(middle).reduce(
      (sum, KiBs, at) => sum + KiBs - used(spaces[at] ?? { availableKiB: 0, totalKiB: 0 }),
      0,
    );
    if (taken < users * KiB) low = middle;
    else high = middle;
  }
  return level(low).map((KiBs, at) => (100 * KiBs) / (spaces[at]?.totalKiB ?? 1));
}

/** All at the same percent in use, but those that were above it before. */
const byPercent = () => ideal((value) => spaces.map((space) => Math.max(used(space), value * space.totalKiB)), 1);

/** All with the same space free, but those that had less. */
const bySpace = () =>
  ideal((value) => spaces.map((space) => Math.max(used(space), space.totalKiB - (12 * TiB - value))), 12 * TiB);

/** The expectation of the lot: an infinity of infinitely small users, each by the chances of the moment. */
function byLot(above: number): number[] {
  const state = spaces.map((space) => ({ ...space }));
  const step = (users * KiB) / 20_000;
  for (let round = 0; round < 20_000; round += 1) {
    const percents = state.map(({ availableKiB, totalKiB }) => (100 * availableKiB) / totalKiB);
    const least = above === 0 ? 0 : Math.min(...percents) - above;
    const sum = percents.reduce((all, percent) => all + percent - least, 0);
    for (const [at, one] of state.entries()) one.availableKiB -= (step * ((percents[at] ?? 0) - least)) / sum;
  }
  return state.map((space) => (100 * used(space)) / space.totalKiB);
}

/** How far a lot may be off in each place: 3 standard deviations of as many throws, were each server filled by itself. */
function lotBounds(wanted: readonly number[]): number[] {
  return spaces.map((space, at) => {
    const gets = ((wanted[at] ?? 0) / 100) * space.totalKiB - used(space);
    return (3 * Math.sqrt(gets / KiB) * KiB * 100) / space.totalKiB;
  });
}

const most: [Mode, () => number[]][] = [
  ['freespace-percent-most', byPercent],
  ['freespace-most', bySpace],
];
const lots: [Mode, () => number[]][] = [
  ['freespace-percent-weighted', () => byLot(0)],
  ['freespace-percent-weighted-delta', () => byLot(0.5)],
];

for (const [mode, idealOf] of full ? [...most, ...lots] : [...most.slice(0, 1), ...lots.slice(0, 1)]) {
  test(`${users} users by ${processes} processes at once, ${mode}, end near the ideal`, async (t) => {
    const wanted = idealOf();
    const { works, took, outcome } = await burst(t, mode);
    const tries = works.reduce((sum, work) => sum + work.tries, 0);
    assert.equal(
      works.reduce((sum, { placed }) => sum + placed, 0),
      users,
      'each has a place',
    );
    const cyrus = simulateCyrus({ now: 1000, servers }, policyFor(servers, { mode, promisedKiB: KiB }), {
      ...{ users, processes, chance: seededChance(1) },
    });
    const [ours, theirs] = [fills(outcome), fills(cyrus)];
    const off = (levels: number[]) => levels.map((level, at) => Math.abs(level - (wanted[at] ?? 0)));
    const line = (levels: number[]) => levels.map((level) => level.toFixed(1).padStart(6)).join('');
    t.diagnostic(`before ${line(spaces.map((space) => (100 * used(space)) / space.totalKiB))} percent in use`);
    t.diagnostic(`ideal  ${line(wanted)}`);
    t.diagnostic(`ours   ${line(ours)}, at most ${Math.max(...off(ours)).toFixed(2)} off`);
    t.diagnostic(`Cyrus  ${line(theirs)}, at most ${Math.max(...off(theirs)).toFixed(2)} off`);
    t.diagnostic(`${Math.round((1000 * users) / took)} users/s, ${(tries / users).toFixed(2)} decisions each`);
    // Few users are large ones: what a lot does with them is further from its expectation.
    const bounds = !full && lots.some(([lot]) => lot === mode) ? lotBounds(wanted) : spaces.map(() => 0);
    for (const [at, distance] of off(ours).entries()) {
      assert.ok(distance <= Math.max(2, bounds[at] ?? 0), `mail${at + 1} of ${line(ours)}`);
    }
    assert.ok(Math.max(...off(theirs)) > 20, line(theirs));
  });
}
