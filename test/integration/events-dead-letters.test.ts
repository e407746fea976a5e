// Dead letters as an operator meets them: found by filter, tried again, discarded.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { traceparent, withDead } from '../harness/dead-letters.ts';
import { operator } from '../harness/operator.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let rookery: Rookery;

before(async () => {
  redis = await startRedis();
  rookery = await Rookery.layOut({ redis: { url: redis.socket } });
});
after(async () => {
  await rookery.stop();
  await redis.stop();
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

test('dead letters are found, tried again and discarded by id, kind, name and age', async (t) => {
  const { deadLetters, subjects } = await withDead(t, redis.socket, [
    'user.a-away',
    'user.a.b-away',
    'user.\xff-refused',
  ]);
  const found = async (filter: Parameters<typeof deadLetters.find>[1]) =>
    (await deadLetters.find('moves', filter)).map(({ subject }) => subject).sort();
  assert.deepEqual(await found({}), ['user.a-away', 'user.a.b-away', 'user.\xff-refused']);
  assert.deepEqual(await found({ kind: 'away' }), ['user.a-away', 'user.a.b-away']);
  assert.deepEqual(await found({ about: (name) => name.includes('\xff') }), ['user.\xff-refused']);
  assert.deepEqual(await found({ before: Date.now() - 60_000 }), []);
  assert.equal((await found({ before: Date.now() + 1 })).length, 3);
  const [view] = await deadLetters.find('moves', { kind: 'refused' });
  assert.deepEqual(await found({ id: view?.id }), ['user.\xff-refused']);
  assert.deepEqual(await found({ id: view?.id, kind: 'away' }), []);

  assert.equal((await deadLetters.discard('moves', { id: view?.id })).length, 1);
  assert.equal((await deadLetters.retry('moves', { about: (name) => name.startsWith('user.a.') })).length, 1);
  assert.deepEqual([await subjects('failed'), await subjects('waiting')], [['user.a-away'], ['user.a.b-away']]);
});

test('one that is tried again has all its attempts, keeps its trace, and is one with a ring for the same', async (t) => {
  const { deadLetters, producer, backlog, subjects } = await withDead(t, redis.socket, ['user.a-away']);
  producer.ring('moves', { name: 'user.a-away' });
  await until('it waits', async () => (await backlog.counts('moves')).waiting === 1);
  await deadLetters.retry('moves', {});
  assert.deepEqual([await subjects('failed'), await subjects('waiting')], [[], ['user.a-away']]);
  await redisSays(redis.socket, 'FLUSHALL');
  const again = await withDead(t, redis.socket, ['user.b-away']);
  await again.deadLetters.retry('moves', {});
  const [waiting] = await backlog.jobs('moves', ['waiting'], 1);
  const job = await backlog.job('moves', waiting?.id ?? '');
  assert.deepEqual([job?.attempts, job?.failures, job?.traceparent], [0, undefined, traceparent]);
});

test('the commands: what would be done, what is done, one job with all that is known of it', async (t) => {
  const { backlog, subjects } = await withDead(t, redis.socket, ['user.a-away', 'user.b-refused', 'user.c-refused']);
  const dry = await operator(rookery.configFile, 'queue', 'retry', 'moves', '--kind', 'refused', '--dry-run');
  assert.match(dry.out, /user\.[bc]-refused .*\n.*user\.[bc]-refused .*\n2 jobs would be tried again\n$/);
  assert.equal((await subjects('failed')).length, 3);
  const all = await operator(rookery.configFile, 'queue', 'discard', 'moves');
  assert.deepEqual(
    [all.code, all.err],
    [
      64,
      'rookery: say which ones: --id, --kind, --about, --older-than, or --all; in the API id, kind, about, before or all\n',
    ],
  );
  const young = await operator(rookery.configFile, 'queue', 'discard', 'moves', '--older-than', '7d');
  assert.equal(young.out, '0 jobs are discarded\n');
  const gone = await operator(rookery.configFile, 'queue', 'discard', 'moves', '--about', 'user.b%');
  assert.equal(gone.out, '1 job is discarded\n');
  assert.deepEqual(await subjects('failed'), ['user.a-away', 'user.c-refused']);
  const wrong = await operator(rookery.configFile, 'queue', 'retry', 'moves', '--older-than', 'soon');
  assert.equal(wrong.code, 64);
  assert.match(wrong.err, /'soon' is invalid.*90s, 30m, 12h, 7d/);

  const [job] = await backlog.jobs('moves', ['failed'], 1);
  const shown = await operator(rookery.configFile, 'queue', 'show', 'moves', '--id', job?.id ?? '');
  for (const line of [
    /^state +failed$/m,
    /^about +user\.c-refused$/m,
    /^kind +refused$/m,
    /^reason +no user\.c-refused$/m,
    /^failures +refused 1; the first 20/m,
    /^worker +test\/1$/m,
    new RegExp(`^traceparent +${traceparent}$`, 'm'),
    /^job +\{"v":1,"name":"dXNlci5jLXJlZnVzZWQ",/m,
    /^log +20.* attempt 1 by test\/1: refused: no user\.c-refused; given up$/m,
  ]) {
    assert.match(shown.out, line);
  }
  const json = await operator(rookery.configFile, 'queue', 'show', 'moves', '--id', job?.id ?? '', '-f', 'json');
  const { kind, log } = JSON.parse(json.out) as { kind: string; log: string[] };
  assert.deepEqual([kind, log.length], ['refused', 1]);
  const none = await operator(rookery.configFile, 'queue', 'show', 'moves', '--id', '999');
  assert.deepEqual([none.code, none.err], [65, 'rookery: moves has no job 999\n']);
});
