// Promises in a real Redis: taken by one at a time, seen by all, kept by their token, gone when they are released or expire.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { seededChance } from '../../services/placement/chance.ts';
import type { ServerFacts } from '../../services/placement/facts.ts';
import { Placer } from '../../services/placement/placer.ts';
import type { PlacerOptions } from '../../services/placement/placer.ts';
import { Promises } from '../../services/placement/promises.ts';
import type { PromisedState, Taken } from '../../services/placement/promises.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { abc, policyFor, serverOf } from '../harness/placement.ts';
import type { PolicyWish } from '../harness/placement.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let connection: ReturnType<typeof commandConnection>;
let promises: Promises;
before(async () => {
  redis = await startRedis();
  connection = commandConnection({ place: { socket: redis.socket }, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
  promises = new Promises(connection);
});
after(async () => {
  connection.disconnect();
  await redis.stop();
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

const lifetime = 60_000;
const promise = (token: string, more = {}) => ({ token, server: 'A', partition: 'p', KiB: 10, lifetime, ...more });

/** The state without its version, as plain values. */
function plain({ servers }: PromisedState) {
  return Object.fromEntries(
    Array.from(servers, ([name, { users, KiB }]) => [name, { users, ...Object.fromEntries(KiB) }]),
  );
}

test('promises add up by server and partition, and everybody reads the same', async () => {
  assert.deepEqual(plain(await promises.read()), {});
  assert.deepEqual(await promises.take(promise('a')), { is: 'taken' });
  assert.deepEqual(await promises.take(promise('b', { KiB: 5 })), { is: 'taken' });
  assert.deepEqual(await promises.take(promise('c', { partition: 'q.2' })), { is: 'taken' });
  assert.deepEqual(await promises.take(promise('user.b\xf6\u20ac !x', { server: 'B', partition: '' })), {
    is: 'taken',
  });
  const expected = { A: { users: 3, p: 15, 'q.2': 10 }, B: { users: 1, '': 10 } };
  assert.deepEqual(plain(await promises.read()), expected);
  assert.equal(await promises.release('user.b\xf6\u20ac !x'), true);
  assert.deepEqual(plain(await promises.read()), { A: expected.A });
});

test('one that was decided by an older state is refused, with the newer one', async () => {
  const { version } = await promises.read();
  assert.deepEqual(await promises.take(promise('a'), version), { is: 'taken' });
  const refused = await promises.take(promise('b'), version);
  assert.ok(refused.is === 'refused');
  assert.deepEqual(plain(refused.state), { A: { users: 1, p: 10 } });
  assert.deepEqual(await promises.take(promise('b'), refused.state.version), { is: 'taken' });
  assert.deepEqual(await promises.take(promise('c')), { is: 'taken' }, 'without a version however it is');
});

test('of many who take by the same version one gets it', async () => {
  const { version } = await promises.read();
  const all = await Promise.all(Array.from({ length: 50 }, (_, at) => promises.take(promise(`t${at}`), version)));
  assert.equal(all.filter(({ is }) => is === 'taken').length, 1);
  assert.deepEqual(plain(await promises.read()), { A: { users: 1, p: 10 } });
});

test('each thing that changes what is promised changes the version, and nothing else does', async () => {
  const versions = new Set<string>();
  const look = async (changes: boolean) => {
    const { version } = await promises.read();
    assert.equal(!versions.has(version), changes);
    versions.add(version);
  };
  await look(true);
  await look(false);
  await promises.take(promise('a'));
  await look(true);
  await promises.take(promise('a'));
  await look(false);
  await promises.settle('a', 'A');
  await look(true);
  await promises.settle('a', 'A');
  await look(false);
  await promises.release('a');
  await look(true);
  await promises.release('a');
  await look(false);
  await promises.take(promise('b', { lifetime: 1 }));
  await until('it has expired', async () => (await promises.read()).servers.size === 0);
  await look(true);
});

test('a token that has a promise keeps it, whatever it asks for', async () => {
  await promises.take(promise('a'));
  const held: Taken = { is: 'held', place: { server: 'A', partition: 'p' } };
  assert.deepEqual(await promises.take(promise('a', { server: 'B', partition: 'q' })), held);
  assert.deepEqual(await promises.take(promise('a', { server: 'B' }), 'no version'), held);
  assert.deepEqual(plain(await promises.read()), { A: { users: 1, p: 10 } });
  assert.equal(await promises.release('a'), true);
  assert.deepEqual(await promises.take(promise('a', { server: 'B' })), { is: 'taken' });
});

test('a user who is there is counted no longer, but his space is; then nothing is left of him', async () => {
  await promises.take(promise('a'));
  assert.equal(await promises.settle('a', 'B'), false, 'he was counted elsewhere, before');
  assert.equal(await promises.settle('a', ''), false);
  assert.deepEqual(plain(await promises.read()), { A: { users: 1, p: 10 } });
  assert.equal(await promises.settle('a', 'A'), true);
  assert.equal(await promises.settle('a', 'A'), true, 'again changes nothing');
  assert.deepEqual(plain(await promises.read()), { A: { users: 0, p: 10 } });
  assert.equal(await promises.release('a'), true);
  assert.deepEqual(plain(await promises.read()), {});
  assert.deepEqual([await promises.release('a'), await promises.settle('a', 'A')], [false, false]);
  const keys = await redisSays(redis.socket, 'KEYS *');
  assert.deepEqual(keys.filter((line) => line.startsWith('rookery')).sort(), [
    'rookery:{placement}:settles',
    'rookery:{placement}:version',
  ]);
});

test('what has expired vanishes, whoever comes next; the others stay', async () => {
  for (let at = 0; at < 1500; at += 1) await promises.take(promise(`t${at}`, { lifetime: 1 }));
  await promises.take(promise('lasting', { server: 'B', KiB: 0 }));
  // A call clears a thousand at most: the next one goes on.
  await until('all have expired', async () => (await promises.read()).servers.size === 1);
  assert.deepEqual(plain(await promises.read()), { B: { users: 1 } });
});

function placerFor(servers: readonly ServerFacts[], wish: PolicyWish = {}, more: Partial<PlacerOptions> = {}) {
  return new Placer({
    ...{ policy: policyFor(servers, wish), promises, figures: () => Promise.resolve(servers), chance: seededChance(3) },
    ...{ now: () => 1000, ...more },
  });
}

test('a placer promises what it has decided, and the next one sees it', async () => {
  const servers = [serverOf('A', 12, 100), serverOf('B', 10, 100)];
  const places: string[] = [];
  for (const token of ['u1', 'u2', 'u3', 'u4', 'u5']) {
    const placed = await placerFor(servers).place({ name: `user.${token}` }, token);
    assert.ok(placed.is === 'placed' && placed.tries === 1);
    places.push(placed.place.server);
    assert.deepEqual(placed.decision.chosen, placed.place);
  }
  assert.deepEqual(places, ['A', 'A', 'A', 'B', 'A']);
  assert.deepEqual(await placerFor(servers).place({ name: 'user.u4' }, 'u4'), {
    is: 'held',
    place: { server: 'B', partition: 'default' },
  });
  const refused = await placerFor([serverOf('A', 1, 0)]).place({ name: 'user.u6' }, 'u6');
  assert.ok(refused.is === 'refused' && refused.decision.refused?.startsWith('no server can take it'));
});

test('it decides anew as often as others were faster, and at last in spite of them', async () => {
  let others = 0;
  const faster = {
    read: () => promises.read(),
    release: (token: string) => promises.release(token),
    take: async (...args: Parameters<Promises['take']>) => {
      others += 1;
      await promises.take(promise(`other ${others}`, { partition: 'default', KiB: 200 }));
      return promises.take(...args);
    },
  };
  const placed = await placerFor(abc, { promiseAttempts: 3 }, { promises: faster }).place({ name: 'x' }, 'x');
  assert.ok(placed.is === 'placed');
  // With 200 and 400 KiB of its 500 promised, A is no longer the best.
  assert.deepEqual([placed.tries, placed.place.server], [3, 'B']);
  assert.equal(placed.decision.servers[0]?.promisedKiB, 400);
});

test('what a server has left is taken by nobody twice, also where all else has changed', async () => {
  const { settles } = await promises.read();
  const room = { users: 2, settles };
  await promises.take(promise('other', { server: 'AA' }));
  await promises.take(promise('a', { partition: 'q' }));
  assert.deepEqual(await promises.take(promise('b'), undefined, room), { is: 'taken' });
  assert.equal((await promises.take(promise('c'), undefined, room)).is, 'refused');
  assert.deepEqual(await promises.take(promise('c', { server: 'B' }), undefined, room), { is: 'taken' });
  await promises.settle('a', 'A');
  assert.equal((await promises.take(promise('d'), undefined, room)).is, 'refused', 'he may not have been counted then');
  assert.deepEqual(await promises.take(promise('d'), undefined, { users: 2, settles: '1' }), { is: 'taken' });
});

test('a burst fills a server to its maximum of users and no further, however late they are counted', async () => {
  const counts = new Map<string, number>();
  const servers = [serverOf('A', 900, 1000), serverOf('B', 300, 1000)];
  const backends = { A: { maximumUsers: 30 } };
  const late: Promise<unknown>[] = [];
  const placer = () =>
    placerFor(servers, { backends, promiseAttempts: 2 }, { users: () => Promise.resolve(new Map(counts)) });
  const place = async (token: string) => {
    const placed = await placer().place({ name: token }, token);
    assert.ok(placed.is === 'placed');
    const { server } = placed.place;
    // As the workers do it: he is made, counted, and then promised no longer.
    const counted = async () => {
      counts.set(server, (counts.get(server) ?? 0) + 1);
      await promises.settle(token, server);
    };
    late.push(until(`${token} is counted`, () => Math.random() < 0.3).then(counted));
  };
  const tokens = Array.from({ length: 120 }, (_, at) => `u${at}`);
  const hands = Array.from({ length: 20 }, async () => {
    for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) await place(token);
  });
  await Promise.all(hands);
  await Promise.all(late);
  assert.deepEqual(Object.fromEntries(counts), { A: 30, B: 90 });
});

test('the figures are read as often as the policy says, and when they are too old', async () => {
  const readsWith = async (wish: PolicyWish, times: readonly number[]) => {
    let reads = 0;
    const clock = Array.from(times);
    let now = 0;
    const figures = () => {
      reads += 1;
      return Promise.resolve(abc.map((one) => ({ ...one, at: now })));
    };
    const placer = placerFor(abc, wish, { figures, now: () => now });
    for (const at of clock) {
      now = at;
      await placer.place({ name: 'x' }, `${JSON.stringify(wish)} ${at}`);
    }
    return reads;
  };
  const times = [1, 2, 3, 4, 5, 6];
  assert.equal(await readsWith({}, times), 1);
  assert.equal(await readsWith({ servers: { usageReinit: 1 } }, times), 6);
  assert.equal(await readsWith({ partitions: { usageReinit: 2 } }, times), 3);
  assert.equal(await readsWith({ figuresMaxAge: 10 }, [1, 2, 11, 12, 20, 23]), 3);
});

test('where Redis or the figures are away, nobody is placed', async () => {
  const away = () => Promise.reject(new Error('away'));
  await assert.rejects(placerFor(abc, {}, { figures: away }).place({ name: 'x' }, 'x'), /away/);
  await assert.rejects(
    placerFor(abc, {}, { promises: { read: away, take: away, release: away } }).place({ name: 'x' }, 'x'),
    /away/,
  );
});

test('what was promised for an earlier wish, or before an operator changed his mind, is given back and decided anew', async () => {
  const server = async (wish: PolicyWish, request: object) => {
    const placed = await placerFor(abc, wish).place({ name: 'user.x', ...request }, 'x');
    return placed.is === 'refused' ? placed.decision.refused : placed.place.server;
  };
  assert.equal(await server({}, {}), 'A');
  assert.equal(await server({}, {}), 'A');
  assert.equal(await server({}, { server: 'B' }), 'B');
  assert.equal(await server({}, {}), 'B', 'it was promised, and nothing speaks against it');
  assert.equal(await server({ backends: { B: { drain: true } } }, {}), 'A');
  assert.equal(await server({}, { not: [{ server: 'A', is: 'refused', why: 'NO' }] }), 'B');
  assert.equal(await server({ backends: { C: { zone: 'ulm' } } }, { zone: 'ulm' }), 'C');
  const { servers } = await promises.read();
  assert.deepEqual(
    [...servers].filter(([, { users }]) => users > 0).map(([name, { users }]) => [name, users]),
    [['C', 1]],
    'he is promised one place',
  );
});
