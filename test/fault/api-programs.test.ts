// The API of programs of their own: with other bounds and rights, on a Redis that goes away, and with all roles beside it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { apiBase, bearing, startApi, tokens } from '../harness/api.ts';
import { leaveFailedJob, queuesFor } from '../harness/events.ts';
import { withoutPromtool } from '../harness/peers.ts';
import { redisOfFile, startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

test('a token has so many requests a minute, and who guesses is slowed down as well', async (t) => {
  const slow = await startApi(redis.socket, ['run', 'api'], { api: { rate_limit: 5 } });
  t.after(() => slow.stop());
  const at = (path: string, token: string) => bearing(slow, token)(path);
  for (const [token, first] of [
    [tokens.read, 200],
    ['guess-0123456789ab', 401],
  ] as const) {
    const answers = [];
    for (let count = 0; count < 6; count += 1) answers.push((await at('/v1/queues', token)).status);
    assert.deepEqual(answers, [first, first, first, first, first, 429]);
  }
  const told = await at('/v1/queues', tokens.read);
  assert.match(told.headers.get('retry-after') ?? '', /^\d+$/);
  assert.match(((await told.json()) as ProblemValue).detail, /^more than 5 requests a minute \(api\.rate_limit\)/);
  assert.equal((await at('/queues/', tokens.read)).status, 429, 'the board counts, too');
  assert.equal((await at('/v1/queues', tokens.operate)).status, 200, 'another token');
  assert.equal((await at('/livez', tokens.read)).status, 200);
});

test('the board of `api.board: operate` changes queues for that role, but not for another site', async (t) => {
  const { backlog } = await queuesFor(t, redis.socket);
  const failed = await leaveFailedJob(redis.socket, 'user.board', 'no');
  const operated = await startApi(redis.socket, ['run', 'api'], { api: { board: 'operate' } });
  t.after(() => operated.stop());
  const retry = (token: string, headers = {}) =>
    fetch(`${apiBase(operated)}/queues/api/queues/reconcile/${failed}/retry`, {
      ...{ method: 'PUT', headers: { authorization: `Bearer ${token}`, ...headers } },
    });
  assert.equal((await retry(tokens.read)).status, 403);
  assert.equal((await retry(tokens.operate, { 'sec-fetch-site': 'cross-site' })).status, 403);
  assert.ok((await retry(tokens.operate)).status < 300);
  const [again] = await backlog.jobs('reconcile', ['waiting'], 1);
  assert.equal(again?.id, failed);
});

test('while Redis is away each request is told so, and none is held up', async (t) => {
  const other = await startRedis();
  t.after(() => other.stop());
  const orphan = await startApi(other.socket, ['run', 'api']);
  t.after(() => orphan.stop());
  await other.kill9();
  const at = bearing(orphan, tokens.admin);
  for (const [path, whom] of [
    ['/v1/directory/status', 'the directory'],
    ['/v1/mailboxes/user.jdoe', 'the directory'],
    ['/v1/queues', 'the queues'],
    ['/queues/api/queues', 'the queues'],
    ['/v1/audit', 'the audit'],
  ] as const) {
    const told = (await (await at(path)).json()) as ProblemValue;
    assert.deepEqual([told.status, told.type], [503, 'urn:rookery:problem:unavailable'], path);
    assert.match(told.detail, new RegExp(`^${whom} could not be asked: `));
  }
  assert.equal(((await (await at('/v1/health')).json()) as { ready: boolean }).ready, false);
  const route = (await (await at('/v1/route?recipient=jdoe%40example.org')).json()) as { action: string };
  assert.equal(route.action, 'defer', 'which is what an MTA would be told');
  await other.restart();
  await until('it is back', async () => (await at('/v1/queues')).status === 200);
  assert.equal((await at('/queues/api/queues')).status, 200);
});

test('without tokens nobody has access, and two names with one token are refused at the start', async (t) => {
  const closed = await startApi(redis.socket, ['run', 'api'], { api: { tokens: {} } });
  t.after(() => closed.stop());
  const at = bearing(closed, tokens.read);
  for (const path of ['/v1/queues', '/queues/']) {
    const response = await at(path);
    assert.equal(response.status, 403, path);
    assert.match(await response.text(), /nobody has access: the configuration has no tokens \(api\.tokens\)/);
  }
  assert.equal((await at('/readyz')).status, 200);
  const token = 'twice-0123456789';
  const twice = { tokens: { a: { token }, b: { token } } };
  await assert.rejects(
    startApi(redis.socket, ['run', 'api'], { api: twice }),
    /api\.tokens\.b has the token of api\.tokens\.a/,
  );
});

test('rookery up shows metrics that promtool has nothing against', { skip: withoutPromtool() }, async (t) => {
  const whole = await startApi(redis.socket, ['up']);
  t.after(() => whole.stop());
  const at = bearing(whole, tokens.admin);
  await at('/v1/queues');
  await at('/v1/route?recipient=nobody%40example.org');
  const text = await (await at('/metrics')).text();
  const names: string[] = text.match(/(?<=^# TYPE )\S+/gm) ?? [];
  assert.ok(names.includes('rookery_api_requests_total') && names.includes('rookery_queue_jobs'));
  const strange = names.filter((name) => !/^(rookery|process|nodejs)_/.test(name));
  assert.deepEqual(strange, [], 'ours have one prefix; those of the process and of Node have the usual ones');
  const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.deepEqual([check.status, check.stdout, check.stderr], [0, '', '']);
});
