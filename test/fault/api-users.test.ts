// Users, their places and the pools of workers over the API, on the real program and a real Redis without workers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import type { Decision } from '../../services/placement/decision.ts';
import type { OrderValue } from '../../services/operations/order-value.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { openUsersNow } from '../../services/process/open-users.ts';
import type { Order } from '../../services/users/order.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { queuesFor } from '../harness/events.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import type { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let rookery: Rookery;
let base: string;

before(async () => {
  redis = await startRedis();
  rookery = await startApi(redis.socket, ['run', 'api'], { scaling: { pools: { default: { max: 4 } } } });
  base = apiBase(rookery);
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

/** Status and body. */
async function ask(role: Role, method: string, path: string, body?: object): Promise<[number, unknown]> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[role]}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return [response.status, await response.json()];
}

/** As a worker leaves an order that is done. */
async function ended(name: string, more: Partial<Order>): Promise<void> {
  const users = await openUsersNow(loadConfig({ env: {}, file: rookery.configFile }));
  const kept = await users.orders.read(name);
  assert.ok(kept);
  assert.ok(await users.orders.replace(kept, { ...kept.order, ...more, state: 'done', note: 'done' }));
  users.close();
}

async function refused(...asked: Parameters<typeof ask>): Promise<[number, string]> {
  const [status, value] = await ask(...asked);
  return [status, (value as ProblemValue).detail];
}

test('a user is ordered once, for whoever may, and a worker is rung for', async (t) => {
  const { backlog } = await queuesFor(t, redis.socket);
  const wanted = { server: 'mail1', quota: 1024 };
  const body = { name: 'user.jdoe', ...wanted };
  assert.equal((await ask('read', 'POST', '/v1/users', body))[0], 403);
  assert.equal((await ask('read', 'GET', '/v1/users/user.jdoe'))[0], 404, 'what is not permitted is not done');
  const [status, ordered] = await ask('operate', 'POST', '/v1/users', body);
  const { since, ...order } = ordered as OrderValue;
  assert.equal(status, 202);
  assert.deepEqual(order, { name: 'user.jdoe', order: 'create', wanted, state: 'open', note: 'ordered', by: 'ops' });
  assert.deepEqual(await ask('admin', 'POST', '/v1/users', body), [202, ordered], 'the same order again');
  assert.deepEqual(await ask('read', 'GET', '/v1/users/user.jdoe'), [200, { ...order, since }]);
  await until('it is rung for', async () => (await backlog.counts('placement')).waiting === 1);
});

test('the end of what is ordered may be waited for where it is ordered; other queries are refused, not passed over', async () => {
  const waiting = ask('operate', 'POST', '/v1/users?wait=30', { name: 'user.wait' });
  const there = async () => (await ask('read', 'GET', '/v1/users/user.wait'))[0] === 200;
  await until('it is ordered', there);
  await ended('user.wait', {});
  const [status, ordered] = await waiting;
  assert.deepEqual([status, (ordered as OrderValue).state], [202, 'done']);
  assert.match(
    (await refused('operate', 'POST', '/v1/users?wait=31', { name: 'user.wait' }))[1],
    /^query\.wait is "31"/,
  );
  const [unknown, why] = await refused('operate', 'POST', '/v1/users?wiat=3', { name: 'user.wait' });
  assert.deepEqual([unknown, why], [400, 'query.wiat is "3"; it may be left out: there are wait']);
  const none = [400, 'query.wait is "3"; it may be left out: there are none'];
  assert.deepEqual(
    await refused('operate', 'POST', '/v1/users/import?wait=3', { users: [{ name: 'user.wait' }] }),
    none,
  );
  assert.deepEqual(await refused('read', 'GET', '/v1/queues?wait=3'), none);
});

test('another wish has to wait for the open order; a deletion is ordered by administrators', async () => {
  const body = { name: 'user.ann' };
  assert.equal((await ask('operate', 'POST', '/v1/users', body))[0], 202);
  const open = [409, 'user.ann has another order open: create (ordered)'];
  assert.deepEqual(await refused('operate', 'POST', '/v1/users', { ...body, zone: 'berlin' }), open);
  assert.deepEqual(await refused('admin', 'DELETE', '/v1/users/user.ann'), open);
  assert.equal((await ask('operate', 'DELETE', '/v1/users/user.bob'))[0], 403);
  const [status, ordered] = await ask('admin', 'DELETE', '/v1/users/user.bob');
  assert.deepEqual([status, (ordered as OrderValue).order, (ordered as OrderValue).by], [202, 'delete', 'boss']);
});

test('a rename is ordered by administrators; the same again changes nothing, and once done it is still the same user', async () => {
  const path = '/v1/users/old@example.org/rename';
  const to = { to: 'New@example.org' };
  assert.equal((await ask('operate', 'POST', path, to))[0], 403);
  const [status, ordered] = await ask('admin', 'POST', path, to);
  const { since: _, ...order } = ordered as OrderValue;
  assert.equal(status, 202);
  assert.deepEqual(order, {
    ...{ name: 'user.old', order: 'rename', wanted: { to: 'user.new' }, state: 'open', note: 'ordered', by: 'boss' },
  });
  assert.deepEqual(await ask('admin', 'POST', path, { to: 'user.new' }), [202, ordered], 'the same order again');
  const open = [409, 'user.old has another order open: rename (ordered)'];
  assert.deepEqual(await refused('admin', 'POST', path, { to: 'user.other' }), open);
  assert.deepEqual(await refused('admin', 'POST', path, { to: 'old' }), [400, 'the new name is the old one']);
  const [unfit, why] = await refused('admin', 'POST', path, { to: 'user.a.b' });
  assert.deepEqual([unfit, why.startsWith("user.a.b is no user's INBOX")], [400, true]);
  for (const body of [{}, { to: '' }, { to: 7 }]) {
    assert.match((await refused('admin', 'POST', path, body))[1], /^body\.to is .*; it may be a login, an address/);
  }
  await ended('user.old', { place: { server: 'mail1', partition: 'default' }, begun: true, version: 7 });
  const [, again] = await ask('admin', 'POST', path, to);
  const { state, at } = again as OrderValue;
  assert.deepEqual([state, at], ['open', { server: 'mail1', partition: 'default' }], 'where it was done before');
});

test('the end of an order may be waited for, and what is not over by then is told as it is', async () => {
  const since = Date.now();
  const late = await ask('read', 'GET', '/v1/users/ann?wait=1');
  assert.equal((late[1] as OrderValue).state, 'open');
  assert.ok(Date.now() - since >= 900);
  const waiting = ask('read', 'GET', '/v1/users/ann?wait=30');
  await ended('user.ann', {});
  assert.equal(((await waiting)[1] as OrderValue).state, 'done');
  const [status, why] = await refused('read', 'GET', '/v1/users/ann?wait=31');
  assert.deepEqual([status, why], [400, 'query.wait is "31"; it may be a whole number from 0 to 30']);
});

test('many are ordered at a time, each by itself, and asked about; what is wrong is told by its place', async () => {
  const users = [
    { name: 'many1', quota: 5 },
    { name: 'user.a.b' },
    { name: 'user.bob' },
    { name: 'many2@example.org' },
  ];
  assert.equal((await ask('read', 'POST', '/v1/users/import', { users }))[0], 403);
  const [status, answer] = await ask('operate', 'POST', '/v1/users/import', { users });
  const told = (answer as { users: { state: string; note: string }[] }).users;
  assert.equal(status, 202);
  assert.deepEqual(
    told.map(({ state }) => state),
    ['ordered', 'unfit', 'held', 'ordered'],
  );
  assert.deepEqual([told[2]?.note, (told[1]?.note ?? '').slice(0, 8)], ['another order is open: delete', 'user.a.b']);
  assert.deepEqual(await ask('operate', 'POST', '/v1/users/import', { users }), [202, answer], 'the same again');
  const names = ['user.many1', 'user.a.b', 'nobody', 'user.jdoe'];
  const [, states] = await ask('read', 'POST', '/v1/users/states', { users: names });
  assert.deepEqual(
    (states as { users: { state: string }[] }).users.map(({ state }) => state),
    ['open', 'unfit', 'unknown', 'open'],
  );
  for (const [path, body, text] of [
    [
      'import',
      { users: [{ name: 'a' }, { name: 'b', quota: '2G' }] },
      /^body\.users\.1\.quota is "2G"; it may be a whole/,
    ],
    ['import', { users: [{ name: 'a', size: 3 }] }, /^body\.users\.0\.size is 3; it may be left out: there are name, /],
    ['import', { users: ['x'] }, /^body\.users\.0 is "x"; it may be an object of fields$/],
    ['import', { users: [] }, /^body\.users is \[\]; it may be a list of 1 to 200 users/],
    ['import', { users: Array(201).fill({ name: 'a' }) }, /^body\.users is .*; it may be a list of 1 to 200 users/],
    ['states', { users: ['a', ''] }, /^body\.users\.1 is ""; it may be a login, an address/],
    ['states', {}, /^body\.users is missing; it may be a list/],
  ] as const) {
    const [wrong, detail] = await refused('operate', 'POST', `/v1/users/${path}`, body);
    assert.equal(wrong, 400);
    assert.match(detail, text);
  }
  const audited = async () => (await ask('admin', 'GET', '/v1/audit?limit=500'))[1] as { entries: { what: string }[] };
  await until('it is on record', async () => (await audited()).entries.some(({ what }) => what.endsWith('/import')));
  assert.ok(!(await audited()).entries.some(({ what }) => what.endsWith('/states')), 'which changes nothing');
});

test('an open order is taken back by whoever may order, and another one may follow', async () => {
  const path = '/v1/users/user.carl';
  assert.equal((await ask('operate', 'POST', '/v1/users', { name: 'user.carl', server: 'mail1' }))[0], 202);
  assert.equal((await ask('read', 'DELETE', `${path}/order`))[0], 403);
  const [status, value] = await ask('operate', 'DELETE', `${path}/order`);
  const { state, note } = value as OrderValue;
  assert.deepEqual([status, state, note], [200, 'cancelled', 'cancelled by ops']);
  assert.deepEqual(await refused('operate', 'DELETE', `${path}/order`), [409, 'user.carl has no open order']);
  assert.equal((await ask('admin', 'DELETE', path))[0], 202);
});

test('an order whose server may have been told is taken back by administrators, and that is on record', async () => {
  const path = '/v1/users/user.dora';
  assert.equal((await ask('operate', 'POST', '/v1/users', { name: 'user.dora', server: 'mail1' }))[0], 202);
  const users = await openUsersNow(loadConfig({ env: {}, file: rookery.configFile }));
  const kept = await users.orders.read('user.dora');
  assert.ok(kept);
  await users.orders.replace(kept, { ...kept.order, begun: true, place: { server: 'mail1', partition: '' } });
  users.close();
  assert.equal((await ask('admin', 'DELETE', `${path}/order`))[0], 409);
  const operator = await refused('operate', 'DELETE', `${path}/order?force=true`);
  assert.deepEqual(operator, [403, 'the token ops has the role operate, and this takes admin']);
  const wrong = await refused('admin', 'DELETE', `${path}/order?force=1`);
  assert.deepEqual(wrong, [400, 'query.force is "1"; it may be true or false']);
  const [status, value] = await ask('admin', 'DELETE', `${path}/order?force=true`);
  const { state, note } = value as OrderValue;
  assert.deepEqual([status, state], [200, 'cancelled']);
  assert.equal(note, 'cancelled by boss, though mail1 may have been told');
  const isOnRecord = async () => {
    const [, audit] = await ask('admin', 'GET', '/v1/audit?who=boss&outcome=done&limit=500');
    return (audit as { entries: { on: string }[] }).entries.some(
      ({ on }) => on === JSON.stringify({ force: 'true', name: 'user.dora' }),
    );
  };
  await until('it is on record', isOnRecord);
});

test('what can be no user, and a wrong wish, are told as such', async () => {
  const [unfit, why] = await refused('operate', 'POST', '/v1/users', { name: 'user.jdoe.Sent' });
  assert.deepEqual([unfit, why.startsWith("user.jdoe.Sent is no user's INBOX")], [400, true]);
  for (const [field, value] of [
    ['quota', -1],
    ['quota', '2G'],
    ['server', ''],
    ['size', 3],
  ] as const) {
    const [status, detail] = await refused('operate', 'POST', '/v1/users', { name: 'user.x', [field]: value });
    assert.equal(status, 400);
    assert.ok(detail.startsWith(`body.${field} is ${JSON.stringify(value)}; it may be `), detail);
  }
  assert.equal((await ask('read', 'GET', '/v1/users/user.x'))[0], 404);
});

test('the last decision on a user is told as it was kept', async () => {
  const config = loadConfig({ env: {}, file: rookery.configFile });
  const users = await openUsersNow(config);
  const mail1 = {
    name: 'mail1',
    out: 'drained',
    share: 0,
    promisedKiB: 7,
    age: 12,
    users: 3,
    promisedUsers: 1,
    weight: 1,
  };
  const decision: Decision = {
    ...{ request: { name: 'user.jdoe', zone: 'berlin' }, at: 1_700_000_000_000 },
    ...{ modes: { servers: 'freespace-most', partitions: 'random' }, servers: [mail1], partitions: [] },
    ...{ drawn: {}, refused: 'no server can take it (mail1: drained)' },
  };
  await users.decisions.keep('user.jdoe', decision);
  users.close();
  assert.deepEqual(await ask('read', 'GET', '/v1/placement/user.jdoe'), [200, decision]);
  const none = await refused('read', 'GET', '/v1/placement/user.nobody');
  assert.deepEqual(none, [404, 'user.nobody: no decision is known']);
});

test('where so many would go is reckoned within bounds; how full backends are is told, and what is none refused', async () => {
  const simulate = (query: string) => ask('read', 'GET', `/v1/placement?${query}`);
  const [status, simulated] = await simulate('users=5&tag=ssd&tag=gold');
  const { places, refused: none } = simulated as { places: unknown[]; refused: { users: number; reason: string }[] };
  assert.deepEqual([status, places.length, none[0]?.users], [200, 2, 5]);
  for (const [query, text] of [
    ['', /^query\.users is missing; it may be a whole number from 1 to 999999/],
    ['users=0', /^query\.users is "0"; it may be/],
    ['users=5&mode=most', /^query\.mode is "most"; it may be one of /],
    ['users=5&processes=20000', /^20000 processes are too many; it may be 10000/],
  ] as const) {
    const [wrong, detail] = await refused('read', 'GET', `/v1/placement?${query}`);
    assert.equal(wrong, 400, query);
    assert.match(detail, text);
  }
  const [, usage] = await ask('read', 'GET', '/v1/usage');
  assert.deepEqual(usage, { servers: ['mail1', 'mail2'].map((server) => ({ server, silent: true })) });
  assert.deepEqual(await ask('read', 'GET', '/v1/usage/mail1'), [200, { figures: [] }]);
  assert.deepEqual(await refused('read', 'GET', '/v1/usage/x'), [404, 'there is no backend x: there are mail1, mail2']);
});

test('a pool is told how many workers it should have, without a change to anything', async () => {
  const state = async () => (await ask('read', 'GET', '/v1/scaling/default'))[1] as Record<string, number>;
  await until('the orders of the other tests wait', async () => ((await state())['depth'] ?? 0) > 0);
  const { desired, active } = await state();
  assert.deepEqual([desired, active], [1, 0]);
  const [, all] = await ask('read', 'GET', '/v1/scaling');
  assert.deepEqual(
    (all as { pools: { pool: string; desired: number }[] }).pools.map(({ pool, desired }) => [pool, desired]),
    [['default', 1]],
  );
  const none = await refused('read', 'GET', '/v1/scaling/moves');
  assert.deepEqual(none, [404, 'there is no pool moves: there are default']);
});

test('half a character is no name, a folder is no user, and without virtdomains there are none with domains', async () => {
  const create = (name: string) => refused('operate', 'POST', '/v1/users', { name });
  for (const name of ['user.a\ud800', '\udc00']) {
    const [status, why] = await create(name);
    assert.deepEqual([status, /^body\.name is .*; it may be a login/.test(why)], [400, true], why);
  }
  assert.deepEqual(await create('x+y'), [400, "'x+y' is no user, but a folder of user.x: name the user"]);
  const [status, why] = await create('ex.org!user.x');
  assert.deepEqual(
    [status, why],
    [400, 'ex.org!user.x has a domain, and there are no names with one (virtdomains is off)'],
  );
});

test('what BullMQ keeps beside its jobs is no job', async () => {
  const keys = (await redisSays(redis.socket, 'KEYS *')).filter((key) => key.includes(':placement:'));
  const ids = keys.map((key) => key.slice(key.indexOf(':placement:') + ':placement:'.length));
  assert.ok(ids.includes('meta'), ids.join(' '));
  await redisSays(
    redis.socket,
    `SET ${keys[0]?.slice(0, keys[0].indexOf(':placement:')) ?? ''}:placement:stalled-check 1`,
  );
  for (const id of [...ids.filter((id) => !/^\d+$/.test(id)), 'stalled-check', '5:logs']) {
    const path = `/v1/queues/placement/jobs/${encodeURIComponent(id)}`;
    assert.equal((await refused('read', 'GET', path))[0], 404, id);
  }
});
