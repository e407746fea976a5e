// What becomes of jobs that fail, by the kind of failure, and what stays known of each, on a real Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Worker } from 'bullmq';
import type { JobState } from '../../services/events/backlog.ts';
import { JobFailure, kindOf } from '../../services/events/failure.ts';
import type { ErrorKind } from '../../services/events/failure.ts';
import type { Outcome, Processors, WorkersStart } from '../../services/events/processor.ts';
import { keyPrefix } from '../../services/events/queue-set.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { keptLog, queuesFor, shortRetries, workersFor, workOn } from '../harness/events.ts';
import { redisOfFile, startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const done: Outcome = { is: 'done', note: 'all is right' };
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const redis = redisOfFile();

async function queues(t: TestContext) {
  const { settled, ...opened } = await queuesFor(t, redis.socket);
  return { ...opened, settled: (state: JobState, count: number) => settled('moves', state, count) };
}

type Moves = NonNullable<Processors['moves']>;

function worker(t: TestContext, moves: Moves, options: Partial<WorkersStart> = {}) {
  return workersFor(t, redis.socket, { moves }, options);
}

test('each kind of failure has its attempts; what is refused is a dead letter at once; all keep why', async (t) => {
  const { producer, settled } = await queues(t);
  const looks = new Map<string, number>();
  worker(t, ({ name }) => {
    looks.set(name, (looks.get(name) ?? 0) + 1);
    return Promise.reject(new JobFailure(name as ErrorKind, `it is ${name}`));
  });
  for (const name of ['away', 'busy', 'refused', 'fault']) producer.ring('moves', { name });
  const failed = await settled('failed', 4);
  const facts = failed.map(({ subject, kind, attempts, reason, worker: by }) => [subject, kind, attempts, reason, by]);
  assert.deepEqual(facts.sort(), [
    ['away', 'away', shortRetries.away.attempts, 'it is away', 'test/1'],
    ['busy', 'busy', shortRetries.busy.attempts, 'it is busy', 'test/1'],
    ['fault', 'fault', shortRetries.fault.attempts, 'it is fault', 'test/1'],
    ['refused', 'refused', 1, 'it is refused', 'test/1'],
  ]);
  assert.deepEqual([...looks.values()].sort(), [1, 3, 5, 8]);
});

test('a Redis that is away is away, however its connection puts it', async (t) => {
  const other = await startRedis();
  t.after(() => other.stop());
  const ask = () =>
    commandConnection({ place: { socket: other.socket }, commandTimeout: 100, onError: () => undefined });
  const [first, second] = [ask(), ask()];
  t.after(() => {
    first.disconnect();
    second.disconnect();
  });
  await Promise.all([first, second].map((one) => connected(one, 5_000)));
  const kindOfAsking = (one: typeof first) => one.get('x').then(() => 'answered', kindOf);
  process.kill(other.pid ?? 0, 'SIGSTOP');
  assert.equal(await kindOfAsking(first), 'away');
  const cut = kindOfAsking(second);
  process.kill(other.pid ?? 0, 'SIGCONT');
  await other.kill9();
  assert.match(await cut, /^away$|^answered$/);
  assert.equal(await kindOfAsking(first), 'away');
  first.disconnect();
  assert.equal(await kindOfAsking(first), 'away');
  await other.restart();
  const wrong = ask();
  await connected(wrong, 5_000);
  await wrong.set('x', '1');
  assert.equal(await wrong.hget('x', 'y').catch(kindOf), 'fault');
  wrong.disconnect();
});

test('attempts of one kind are not used up by another', async (t) => {
  const { producer, settled, backlog } = await queues(t);
  let looks = 0;
  worker(t, () => {
    looks += 1;
    if (looks > 8) return Promise.resolve(done);
    return Promise.reject(new JobFailure(looks % 4 === 0 ? 'fault' : 'busy', 'not now'));
  });
  producer.ring('moves', { name: 'user.a' });
  const [job] = await settled('completed', 1);
  assert.deepEqual((await backlog.job('moves', job?.id ?? ''))?.failures?.counts, { busy: 6, fault: 2 });
});

test('a job that cannot be read is a dead letter at once, with the reason; the worker goes on', async (t) => {
  const { producer, settled, queues: set } = await queues(t);
  worker(t, () => Promise.resolve(done));
  const queue = set.queue('moves');
  for (const data of [{ v: 0, name: 'dXNlcg' }, { v: 1, name: 5 }, null, 'text']) {
    await queue.add('moves', data, { attempts: 5, backoff: 10 });
  }
  const failed = await settled('failed', 4);
  assert.deepEqual(
    failed.map(({ kind, attempts, subject, reason }) => [kind, attempts, subject, reason]).sort(),
    [
      'a job of moves in version 0: this program knows version 1',
      'not a job of moves: it is "text": it may be an object',
      'not a job of moves: it is null: it may be an object',
      "not a job of moves: name is 5: it may be the name of a tree's root mailbox in base64url",
    ].map((reason) => ['unfit', 1, undefined, reason]),
  );
  producer.ring('moves', { name: 'user.good' });
  await settled('completed', 1);
});

test('a job of a newer version waits for a newer worker, which finds it as it was', async (t) => {
  const { settled, queues: set } = await queues(t);
  const older = worker(t, () => Promise.resolve(done));
  await set.queue('moves').add('moves', { v: 2, tree: 'dXNlcg', how: 'fast' });
  await settled('delayed', 1);
  await older.stop();
  const found: unknown[] = [];
  const newer = new Worker(
    'moves',
    (job) => {
      const { failures: _, ...data } = job.data as Record<string, unknown>;
      found.push(data);
      return Promise.resolve({ note: 'read' });
    },
    { prefix: keyPrefix, connection: { path: redis.socket, maxRetriesPerRequest: null } },
  );
  t.after(() => newer.close());
  await settled('completed', 1);
  assert.deepEqual(found, [{ v: 2, tree: 'dXNlcg', how: 'fast' }]);
});

test('and is a dead letter when none comes in time', async (t) => {
  const { settled, queues: set } = await queues(t);
  worker(t, () => Promise.resolve(done), { retries: { ...shortRetries, newer: { pause: 5, atMost: 50 } } });
  await set.queue('moves').add('moves', { v: 2, tree: 'dXNlcg' });
  const [failed] = await settled('failed', 1);
  assert.equal(failed?.kind, 'newer');
  assert.match(failed.reason ?? '', /a job of moves in version 2: this program knows version 1/);
});

test('what a processor tells stays with the job, in bounds; the trace goes from the ring to the log', async (t) => {
  const { producer, settled, backlog } = await queues(t);
  const log = keptLog();
  const traces: unknown[] = [];
  let looks = 0;
  worker(
    t,
    (_payload, _signal, desk) => {
      traces.push(desk.traceparent);
      for (let n = 1; n <= 90; n += 1) desk.log(`look ${looks}: line ${n} ${'x'.repeat(2_000)}`);
      desk.progress({ done: 3, of: 4, note: 'almost' });
      looks += 1;
      return looks < 3 ? Promise.reject(new JobFailure('away', 'mail1 does not answer')) : Promise.resolve(done);
    },
    { log },
  );
  producer.ring('moves', { name: 'user.a' }, traceparent);
  const [done1] = await settled('completed', 1);
  const job = await backlog.job('moves', done1?.id ?? '');
  assert.deepEqual(traces, [traceparent, traceparent, traceparent]);
  assert.deepEqual(job?.progress, { done: 3, of: 4, note: 'almost' });
  assert.equal(job.traceparent, traceparent);
  assert.equal(job.log.length, 100);
  assert.ok(job.log.every((line) => line.length < 1_100));
  assert.match(job.log.at(-1) ?? '', /^\d{4}-\d\d-\d\dT\S+Z look 2: line 90 x/);
  assert.ok(job.log.some((line) => /attempt 2 by test\/1: away: mail1 does not answer; again in 0\.0 s$/.test(line)));
  const lines = log.lines.filter(({ text }) => text === 'job');
  assert.deepEqual(
    lines.map(({ trace_id, outcome }) => [trace_id, outcome]),
    ['retried', 'retried', 'done'].map((outcome) => ['4bf92f3577b34da6a3ce929d0e0e4736', outcome]),
  );
  assert.equal(await backlog.job('moves', '999'), undefined);
});

test('jobs that are over are kept up to the number that is set', async (t) => {
  const { producer, settled } = await queues(t);
  let over = 0;
  worker(
    t,
    ({ name }) => {
      over += 1;
      return name.startsWith('bad') ? Promise.reject(new JobFailure('refused', 'no')) : Promise.resolve(done);
    },
    { kept: { done: { count: 3, age: 3_600 }, dead: { count: 2, age: 3_600 } } },
  );
  for (let n = 0; n < 20; n += 1) for (const how of ['good', 'bad']) producer.ring('moves', { name: `${how}${n}` });
  await until('all are over', () => over === 40);
  await settled('active', 0);
  assert.equal((await settled('completed', 3)).length, 3);
  assert.equal((await settled('failed', 2)).length, 2);
});

test('each run of a job and each dead letter is measured', async (t) => {
  const { producer, settled } = await queues(t);
  const measured: string[] = [];
  const outcomes: (Outcome | Error)[] = [
    new JobFailure('away', 'no answer'),
    { is: 'later', note: 'not yet', pause: 5 },
    new JobFailure('refused', 'no'),
  ];
  worker(
    t,
    () => {
      const next = outcomes.shift() ?? done;
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    {
      measure: {
        run: (queue, end, seconds) => measured.push(`${queue} ${end} ${seconds >= 0}`),
        dead: (queue, kind) => measured.push(`${queue} ${kind}`),
      },
    },
  );
  producer.ring('moves', { name: 'user.a' });
  await settled('failed', 1);
  await until('it is told', () => measured.length === 4);
  assert.deepEqual(measured, ['moves retried true', 'moves later true', 'moves dead true', 'moves refused']);
});

test('a queue without a processor is refused, naming those that have one', () => {
  assert.throws(
    () => workOn(redis.socket, { moves: () => Promise.resolve(done) }, { queues: ['moves', 'usage'] }),
    /nothing in this version works on the queue 'usage': there are workers for moves$/,
  );
});
