// Jobs that wait, and events of trees that were set aside, by the commands and by the API: shown, tried again, discarded.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { wholeOf, writeEvent } from '../../services/changes/tally.ts';
import type { ProblemValue } from '../../services/operations/problem-value.ts';
import { openBacklog } from '../../services/process/open-events.ts';
import { rookery as carriedOut } from '../harness/cli.ts';
import type { Ending } from '../harness/cli.ts';
import { work } from '../harness/events.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { openTrees, workTrees } from '../harness/tree-events.ts';
import { until } from '../harness/until.ts';

const token = 'operating-0123456789';
const reading = 'reading-0123456789';
let redis: ScratchRedis;
let rookery: Rookery;
let base: string;

before(async () => {
  redis = await startRedis();
  rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    api: {
      listen: { host: '127.0.0.1', port: 0 },
      tokens: { ops: { token, role: 'operate' }, reader: { token: reading } },
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
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

async function open(t: TestContext) {
  const opened = openTrees(redis.socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  return opened;
}

const fromRedis = (...args: string[]) => carriedOut(args, { env: { ROOKERY_CONFIG: rookery.configFile }, openBacklog });
const overApi = (...args: string[]) => carriedOut(args, { env: { ROOKERY_API: base, ROOKERY_API_TOKEN: token } });

/** Both doors say the same of what changes nothing. */
async function both(...args: string[]): Promise<Ending> {
  const [here, there] = [await fromRedis(...args), await overApi(...args)];
  assert.deepEqual(there, here, args.join(' '));
  return here;
}

async function discard(body: object, bearer = token): Promise<[number, ProblemValue & { jobs: { id: string }[] }]> {
  const response = await fetch(`${base}/v1/queues/reconcile/discard`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return [response.status, (await response.json()) as ProblemValue & { jobs: { id: string }[] }];
}

test('what waits in line, with a priority or put off, is discarded by id and by filter; nothing else is', async (t) => {
  const { queues, producer, backlog } = await open(t);
  await producer.rung('reconcile', [{ name: 'user.ann' }, { name: 'user.bob' }, { name: 'user.ann.Sent' }]);
  const handle = queues.queue('reconcile');
  const data = { v: 1, name: Buffer.from('user.first').toString('base64url') };
  await handle.add('reconcile', data, { priority: 5 });
  await handle.add('reconcile', { ...data, name: Buffer.from('user.late').toString('base64url') }, { delay: 60_000 });
  const { waiting, delayed } = await backlog.counts('reconcile');
  assert.deepEqual([waiting, delayed], [4, 1]);
  const shown = (await both('queue', 'show', 'reconcile', '-f', 'json')).out;
  const jobs = shown.map((line) => JSON.parse(line) as { id: string; about: string; state: string });
  assert.deepEqual(jobs.map(({ about, state }) => `${about} ${state}`).sort(), [
    ...['user.ann waiting', 'user.ann.Sent waiting', 'user.bob waiting', 'user.first waiting', 'user.late delayed'],
  ]);
  const idOf = (name: string) => jobs.find(({ about }) => about === name)?.id ?? '';

  const plain = await both('queue', 'discard', 'reconcile', '--id', idOf('user.bob'));
  assert.deepEqual(
    [plain.code, plain.err],
    [
      65,
      [
        `rookery: reconcile has no failed job ${idOf('user.bob')}: it is waiting; what waits is discarded with --waiting, in the API waiting: true`,
      ],
    ],
  );
  assert.deepEqual((await overApi('queue', 'discard', 'reconcile', '--all')).out, ['0 jobs are discarded']);
  const unsaid = await both('queue', 'discard', 'reconcile', '--waiting');
  assert.equal(unsaid.code, 64);
  const dry = await both('queue', 'discard', 'reconcile', '--waiting', '--about', 'user.ann*', '--dry-run');
  assert.equal(dry.out.at(-1), '2 jobs would be discarded');
  assert.equal((await discard({ waiting: true, all: true }, reading))[0], 403);
  const [status, { jobs: gone }] = await discard({ waiting: true, id: idOf('user.late') });
  assert.deepEqual([status, gone.map(({ id }) => id)], [200, [idOf('user.late')]]);
  assert.equal((await discard({ waiting: true, id: idOf('user.late') }))[0], 404);
  const some = await fromRedis('queue', 'discard', 'reconcile', '-w', '--about', 'user.ann*');
  assert.deepEqual(some.out, ['2 jobs are discarded']);
  const rest = await overApi('queue', 'discard', 'reconcile', '--waiting', '--all');
  assert.deepEqual(rest.out, ['2 jobs are discarded']);
  // What was discarded keeps nothing from being rung for.
  await producer.rung('reconcile', [{ name: 'user.ann' }]);
  assert.equal((await backlog.counts('reconcile')).waiting, 1);
  const [wrong, { detail }] = await discard({ waiting: 'yes', all: true });
  assert.deepEqual([wrong, detail], [400, 'body.waiting is "yes"; it may be true or false']);
});

test('what is being worked on is refused with the reason, and stays', async (t) => {
  const { producer, backlog } = await open(t);
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const workers = work(redis.socket, async () => {
    await ended;
    return { is: 'done', note: 'settled' };
  });
  t.after(() => workers.stop());
  await producer.rung('reconcile', [{ name: 'user.ann' }]);
  await until('it is worked on', async () => (await backlog.counts('reconcile')).active === 1);
  const [job] = await backlog.jobs('reconcile', ['active'], 1);
  const id = job?.id ?? '';
  for (const waiting of [true, false]) {
    const [status, { detail }] = await discard({ id, waiting });
    assert.equal(status, 409);
    assert.match(detail, new RegExp(`^job ${id} of reconcile is being worked on by \\S+: it can be discarded when it`));
  }
  assert.equal((await both('queue', 'discard', 'reconcile', '--waiting', '--id', id)).code, 75);
  assert.deepEqual((await overApi('queue', 'discard', 'reconcile', '-w', '--all')).out, ['0 jobs are discarded']);
  end();
  await until('it is done', async () => (await backlog.counts('reconcile')).completed === 1);
});

test('events that were set aside are dead letters like jobs: listed, shown, tried again and discarded', async (t) => {
  const { trees, lists } = await open(t);
  let poisonous = true;
  const applied: string[] = [];
  const workers = workTrees(
    redis.socket,
    ({ events }) => {
      for (const { body } of events) {
        if (poisonous && body.startsWith('poison')) throw new Error('mail1 says no');
        applied.push(body);
      }
      return Promise.resolve();
    },
    { poison: 2 },
  );
  t.after(() => workers.stop());
  await trees.append('counts', [
    { tree: 'user.ann', body: 'poison 1' },
    { tree: 'user.b\xf6b', body: 'poison 2' },
    { tree: 'user.ann', body: 'poison 3' },
  ]);
  await until('they are set aside', async () => (await lists.load()).dead === 3);
  await until('no bell is left', async () => {
    const [line = ''] = (await fromRedis('queue', 'list', '-f', 'json')).out.slice(-1);
    const {
      waiting = 1,
      active = 1,
      delayed = 1,
      failed,
    } = (JSON.parse(line) as { jobs: Record<string, number> }).jobs;
    return waiting + active + delayed === 0 && failed === 3;
  });
  const shown = await both('queue', 'show', 'counts', '--state', 'failed', '-f', 'json');
  const events = shown.out.map((line) => JSON.parse(line) as { id: string; about: string; kind: string });
  assert.equal(events.length, 3);
  const last = events.find(({ about }) => about === 'user.ann');
  assert.ok(last && /^event:\d+$/.test(last.id) && last.kind === 'fault');
  const one = JSON.parse((await both('queue', 'show', 'counts', '--id', last.id, '-f', 'json')).out[0] ?? '') as object;
  const { reason, attempts, data } = one as { reason: string; attempts: number; data: { body: string } };
  assert.deepEqual([reason, attempts, data.body.startsWith('poison')], ['mail1 says no', 2, true]);
  assert.equal((await both('queue', 'show', 'counts', '--id', 'event:999')).code, 65);
  assert.equal((await both('queue', 'retry', 'counts', '--id', 'event:999')).code, 65);
  assert.equal((await both('queue', 'show', 'moves', '--id', last.id)).code, 65, 'another queue');
  const dry = await both('queue', 'retry', 'counts', '--about', 'user.ann', '--dry-run');
  assert.equal(dry.out.at(-1), '2 jobs would be tried again');
  assert.deepEqual((await both('queue', 'retry', 'counts', '--kind', 'away')).out, ['0 jobs are tried again']);

  const bob = events.find(({ about }) => about !== 'user.ann')?.id ?? '';
  assert.deepEqual((await overApi('queue', 'discard', 'counts', '--id', bob)).out, ['1 job is discarded']);
  assert.equal((await lists.load()).dead, 2);
  poisonous = false;
  assert.deepEqual((await overApi('queue', 'retry', 'counts', '--about', 'user.%')).out, ['2 jobs are tried again']);
  await until('they are applied', () => applied.length === 2);
  assert.deepEqual(applied, ['poison 1', 'poison 3'], 'in the order in which they came');
  assert.equal((await lists.load()).dead, 0);
  assert.equal((await fromRedis('queue', 'retry', 'counts')).out.join(), '0 jobs are tried again');
});

test('an event that nobody can read is a dead letter of a worker, and no stop to its tree', async (t) => {
  const { trees, lists } = await open(t);
  const worker = await Rookery.layOut({
    redis: { url: redis.socket },
    backends: { mail1: { lmtp: { host: '127.0.0.1', port: 1 } } },
  });
  await worker.start('run', 'worker');
  t.after(() => worker.stop());
  const good = (seq: number) => writeEvent(wholeOf([], { seq, nonce: '' }));
  await trees.append(
    'counts',
    [good(1), '{bad', good(2)].map((body) => ({ tree: 'user.ann', body })),
  );
  await until('its tree is worked off', async () => (await lists.load()).events === 0);
  const shown = await both('queue', 'show', 'counts', '--state', 'failed', '-f', 'json');
  const [{ id, reason } = { id: '', reason: '' }, ...more] = shown.out.map(
    (line) => JSON.parse(line) as { id: string; reason: string },
  );
  assert.deepEqual(more, []);
  assert.match(reason, /^it can't be read: SyntaxError/);
  assert.deepEqual((await overApi('queue', 'retry', 'counts', '--id', id)).out, ['1 job is tried again']);
  await until('it is set aside again', async () => (await lists.load()).dead === 1);
  const [again] = await lists.aside(1);
  assert.deepEqual((await overApi('queue', 'discard', 'counts', '--id', `event:${again?.id}`)).out, [
    '1 job is discarded',
  ]);
  assert.deepEqual(await lists.aside(1), []);
});
