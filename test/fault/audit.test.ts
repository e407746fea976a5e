// The audit as operators read it: by the command and by the API, with filters, and in bounds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RedisTrail } from '../../services/api/audit-trail.ts';
import type { AuditValue } from '../../services/operations/audit-operations.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { openAudit } from '../../services/process/open-audit.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';

const token = 'administering-0123456789';
const operating = 'operating-0123456789';
const hour = 3_600_000;
let redis: ScratchRedis;
let rookery: Rookery;
let base: string;

before(async () => {
  redis = await startRedis();
  const trail = new RedisTrail({ socket: redis.socket }, 100_000);
  await trail.begun();
  const now = Date.now();
  const entry = (ago: number, who: string, what: string, status: number, on = '{}'): AuditValue => ({
    ...{ time: new Date(now - ago).toISOString(), who, role: 'operate', from: '127.0.0.1', what, on, status },
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
  });
  await trail.keep(entry(9 * hour, 'boss', 'DELETE /v1/users/:name', 202, '{"name":"user.old"}'));
  // More than are read in one go.
  for (let at = 0; at < 1_200; at += 1) await trail.keep(entry(5 * hour, 'ops', 'POST /v1/users', 202));
  await redisSays(redis.socket, 'XADD rookery:{audit} * entry {unwritten');
  await trail.keep(entry(2 * hour, 'ops', 'POST /v1/queues/:queue/retry', 403, '{"queue":"a\nb"}'));
  await trail.keep(entry(hour, 'boss', 'POST /v1/users/:name/rename', 503));
  trail.close();
  rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    api: {
      listen: { host: '127.0.0.1', port: 0 },
      tokens: { boss: { token, role: 'admin' }, ops: { token: operating, role: 'operate' } },
    },
  });
  await rookery.start('run', 'api');
  const { host, port } = rookery.address('HTTP');
  base = `http://${host}:${port}`;
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});

/** By the configuration and by the API: both say the same. */
async function list(...args: string[]) {
  const words = ['audit', 'list', ...args];
  const here = await carriedOut(words, { env: { ROOKERY_CONFIG: rookery.configFile }, openAudit });
  const there = await carriedOut(words, { env: { ROOKERY_API: base, ROOKERY_API_TOKEN: token } });
  assert.deepEqual(there, here, words.join(' '));
  return here;
}

const told = async (...args: string[]) =>
  (await list(...args, '-f', 'json')).out.map((line) => {
    const { who, what } = JSON.parse(line) as AuditValue;
    return `${who} ${what}`;
  });

test('the newest come first; they are found by who, what, outcome and time', async () => {
  const rename = 'boss POST /v1/users/:name/rename';
  const retry = 'ops POST /v1/queues/:queue/retry';
  const deletion = 'boss DELETE /v1/users/:name';
  assert.deepEqual((await told('--limit', '3')).slice(0, 2), [rename, retry]);
  assert.equal((await told('--limit', '10000')).length, 1_203);
  assert.deepEqual(await told('--who', 'boss'), [rename, deletion]);
  assert.deepEqual(await told('--what', '*/v1/users/*'), [rename, deletion]);
  assert.deepEqual(await told('--outcome', 'refused'), [retry]);
  assert.deepEqual(await told('--outcome', 'failed'), [rename]);
  assert.deepEqual(await told('--newer-than', '3h', '--who', 'ops'), [retry]);
  assert.deepEqual(await told('--older-than', '6h'), [deletion]);
  assert.deepEqual(await told('--newer-than', '3h', '--older-than', '90m'), [retry]);
  assert.deepEqual((await list('--who', 'nobody')).out, ['nothing is on record']);
  const [head = '', line = ''] = (await list('--outcome', 'refused')).out;
  assert.match(head, /^TIME +WHO +ROLE +FROM +OUTCOME +WHAT +ON$/);
  assert.match(line, / ops +operate +127\.0\.0\.1 +refused 403 +POST \/v1\/queues\/:queue\/retry +.*a\\x0ab/);
});

test('what is asked for wrongly, by the wrong token, or while Redis is away, ends with its reason', async (t) => {
  for (const wrong of [
    ['--limit', '0'],
    ['--limit', '10001'],
    ['--outcome', 'well'],
    ['--newer-than', 'long'],
  ]) {
    assert.equal((await list(...wrong)).code, 64, wrong.join(' '));
  }
  const env = { ROOKERY_API: base, ROOKERY_API_TOKEN: operating };
  const refused = await carriedOut(['audit', 'list'], { env });
  assert.deepEqual([refused.code, refused.out], [77, []]);
  assert.match(refused.err.join(), /the token ops has the role operate, and this takes admin/);
  for (const [query, text] of [
    ['since=yesterday', /^query\.since is "yesterday"; it may be a time, ISO 8601 in UTC/],
    ['outcome=well', /^query\.outcome is "well"; it may be one of done, refused, failed/],
    ['limit=0', /^query\.limit is "0"; it may be a whole number from 1 to 10000/],
  ] as const) {
    const response = await fetch(`${base}/v1/audit?${query}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as ProblemValue).detail, text);
  }
  const nowhere = await Rookery.layOut({});
  t.after(() => nowhere.stop());
  const away = await carriedOut(['audit', 'list'], { env: { ROOKERY_CONFIG: nowhere.configFile }, openAudit });
  assert.equal(away.code, 69);
  assert.match(away.err.join(), /^rookery: the audit cannot be read: Redis does not answer at /);
});
