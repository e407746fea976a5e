// Users, their places and the pools of workers over the API, on the real program and a real Redis without workers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../services/config/load.ts';
import type { Decision } from '../../services/placement/decision.ts';
import type { OrderValue } from '../../services/operations/order-value.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { openUsersNow } from '../../services/process/open-users.ts';
import { apiBase, startApi, tokens } from '../harness/api.ts';
import type { Role } from '../harness/api.ts';
import { queuesFor } from '../harness/events.ts';
import { startRedis } from '../harness/redis.ts';
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

test('a pool is told how many workers it should have, without a change to anything', async () => {
  const state = async () => (await ask('read', 'GET', '/v1/scaling/default'))[1] as Record<string, number>;
  await until('the orders of the other tests wait', async () => (await state())['depth'] === 3);
  const { desired, active } = await state();
  assert.deepEqual([desired, active], [1, 0]);
  const none = await refused('read', 'GET', '/v1/scaling/moves');
  assert.deepEqual(none, [404, 'there is no pool moves: there are default']);
});
