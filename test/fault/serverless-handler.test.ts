// The handler for event-driven platforms, as one is given it: one file, in a folder without packages, called by a stranger.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { queuesFor } from '../harness/events.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let folder: string;
before(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'rookery-handler-'));
  const bundle = join(import.meta.dirname, '../../infra/serverless/bundle.ts');
  await promisify(execFile)(process.execPath, [bundle, join(folder, 'handler.mjs')]);
});
after(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

/** A platform: calls the handler with each event in turn, in one process that then ends by itself. */
const platform = (context: string) => `
  import { handler } from './handler.mjs';
  const [remaining, ...events] = JSON.parse(process.argv[1]);
  for (const event of events) {
    const end = Date.now() + remaining;
    const told = await handler(event${context})
      .catch((error) => ({ error: error.message }));
    console.log(JSON.stringify(told));
  }
`;

/** What every call is handed over beside its event. */
const timed = ', { getRemainingTimeInMillis: () => end - Date.now() }';

async function called(
  remaining: number,
  events: unknown[],
  url: string | undefined = redis.socket,
  context = timed,
  backends: object = { ROOKERY_BACKENDS__MAIL1__MUPDATE: 'false' },
): Promise<object[]> {
  const env = { ROOKERY_LOG__LEVEL: 'silent', ...backends, ...(url !== '' && { ROOKERY_REDIS__URL: url }) };
  const args = ['--input-type=module', '-e', platform(context), JSON.stringify([remaining, ...events])];
  // One that does not end by itself is a failure, not a wait for ever.
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  let out = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  assert.deepEqual(await once(child, 'close'), [0, null]);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
}

test('it is one file, and works off what waits, call by call', async (t) => {
  assert.deepEqual(await readdir(folder), ['handler.mjs']);
  const { producer, backlog } = await queuesFor(t, redis.socket);
  for (let n = 0; n < 20; n += 1) producer.ring('reconcile', { name: `user.${n}` });
  await until('they wait', async () => (await backlog.counts('reconcile')).waiting === 20);
  // A schedule's event, and one that says more.
  const schedule = { source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} };
  assert.deepEqual(await called(30_000, [schedule, { queues: ['reconcile'], concurrency: 2, idle: 0.2 }]), [
    { ended: 'the queues are empty', runs: { done: 20 } },
    { ended: 'the queues are empty', runs: {} },
  ]);
  assert.equal((await backlog.counts('reconcile')).completed, 20);
});

test('it ends before its time is over', async () => {
  assert.deepEqual(await called(3_000, [{ idle: 600 }]), [{ ended: 'the deadline is near', runs: {} }]);
});

test('a platform that says nothing of the time that is left has the queues worked off all the same', async () => {
  const empty = { ended: 'the queues are empty', runs: {} };
  assert.deepEqual(await called(30_000, [{}], redis.socket, ''), [empty]);
  assert.deepEqual(await called(30_000, [{}], redis.socket, ', {}'), [empty]);
});

test('a wrong event and a wrong configuration are told of, naming what may be', async () => {
  const [unknown, none, missing] = await called(10_000, [
    { queues: ['nosuch'] },
    { queues: [], concurrency: 'many' },
    { queues: ['replication@mail9'] },
  ]);
  const error = (told: object | undefined) => (told as { error?: string } | undefined)?.error ?? '';
  assert.match(error(unknown), /^the event asks for what cannot be done: queues\.0: .*placement.*usage/);
  assert.match(error(none), /queues: it may be a list of queues: .*; concurrency: it may be a whole number/);
  assert.match(error(missing), /nothing in this version works on the queue 'replication@mail9'/);
  const [away] = await called(10_000, [{}], '');
  assert.match(error(away), /^redis\.url \(ROOKERY_REDIS__URL\) is missing/);
  const [refused] = await called(10_000, [{}], 'redis://127.0.0.1:1');
  assert.notEqual(error(refused), '');
  const [strange] = await called(10_000, [{}], redis.socket, timed, {});
  assert.match(error(strange), /backends is empty; it may be the same as in the configuration of the directory/);
});
