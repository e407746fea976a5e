// Workers on a real Redis: what becomes of jobs that finish, fail, wait, can't be read, or lose their worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { JobState } from '../../services/events/backlog.ts';
import type { Outcome, Processor, WorkersStart } from '../../services/events/processor.ts';
import { keptLog, queuesFor, work, workersFor } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const done: Outcome = { is: 'done', note: 'all is right' };

const redis = redisOfFile();

async function queues(t: TestContext) {
  const { settled, ...opened } = await queuesFor(t, redis.socket);
  const ring = (name: string) => {
    opened.producer.ring('reconcile', { name });
  };
  return { ...opened, settled: (state: JobState, count: number) => settled('reconcile', state, count), ring };
}

function worker(t: TestContext, processor: Processor<'reconcile'>, options: Partial<WorkersStart> = {}) {
  return workersFor(t, redis.socket, { reconcile: processor }, options);
}

/** Something that the test opens, and whoever waits for it then goes on. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    opened,
    open: () => {
      open();
    },
  };
}

test('a job is looked at, and logged with what was found', async (t) => {
  const { ring, settled } = await queues(t);
  const log = keptLog();
  const names: string[] = [];
  worker(
    t,
    ({ name }) => {
      names.push(name);
      return Promise.resolve(name === 'user.open' ? { is: 'open', note: 'nobody knows' } : done);
    },
    { log },
  );
  ring('user.j\xf6');
  ring('user.open');
  const jobs = await settled('completed', 2);
  assert.deepEqual(names.sort(), ['user.j\xf6', 'user.open']);
  assert.deepEqual(jobs.map(({ reason }) => reason).sort(), ['all is right', 'nobody knows']);
  const line = log.lines.find(({ outcome }) => outcome === 'open');
  assert.deepEqual(
    { ...line, ms: 0, job: '' },
    {
      ...{ level: 'info', text: 'job', queue: 'reconcile', job: '', about: 'user.open', attempt: 1 },
      ...{ outcome: 'open', ms: 0, note: 'nobody knows' },
    },
  );
});

test('what throws is tried again, and at last is a failed job with the reason; the worker goes on', async (t) => {
  const { ring, settled, backlog, deadLetters } = await queues(t);
  const log = keptLog();
  const looks = new Map<string, number>();
  let away = true;
  worker(
    t,
    ({ name }) => {
      looks.set(name, (looks.get(name) ?? 0) + 1);
      return away && name === 'user.bad' ? Promise.reject(new Error('mail1 does not answer')) : Promise.resolve(done);
    },
    { log },
  );
  ring('user.bad');
  const [failed] = await settled('failed', 1);
  assert.deepEqual([failed?.reason, failed?.attempts, looks.get('user.bad')], ['mail1 does not answer', 3, 3]);
  assert.equal(log.lines.filter(({ level, outcome }) => level === 'warn' && outcome === 'retried').length, 2);
  assert.equal(log.lines.filter(({ text }) => text === 'job failed for good').length, 1);
  ring('user.good');
  await settled('completed', 1);
  // It failed, so its name is free again, for a ring and for an operator.
  away = false;
  assert.deepEqual(await deadLetters.retry('reconcile', { id: '999' }), []);
  assert.equal((await deadLetters.retry('reconcile', { id: failed?.id })).length, 1);
  await settled('completed', 2);
  assert.equal((await backlog.counts('reconcile')).failed, 0);
});

test('many rings for a name that is being looked at bring one more look, and never two at a time', async (t) => {
  const { ring, settled, producer } = await queues(t);
  const { opened, open } = gate();
  let looks = 0;
  const now = { 'user.a': 0, 'user.b': 0 };
  let most = 0;
  worker(t, async ({ name }) => {
    const of = name as keyof typeof now;
    looks += 1;
    most = Math.max(most, ++now[of]);
    await opened;
    now[of] -= 1;
    return done;
  });
  ring('user.a');
  await until('it is looked at', () => looks === 1);
  for (let n = 0; n < 20; n += 1) {
    ring('user.a');
    await until('it is handed over', () => producer.waiting === 0);
  }
  // A ring of another name goes the same way after them.
  ring('user.b');
  await until('the other is looked at', () => looks === 2);
  assert.deepEqual(now, { 'user.a': 1, 'user.b': 1 });
  open();
  await settled('completed', 3);
  assert.equal(looks, 3);
  assert.equal(most, 1);
});

test('a look that wants another one later is no failure, and uses up no attempt', async (t) => {
  const { ring, settled } = await queues(t);
  let looks = 0;
  worker(t, () => Promise.resolve(++looks <= 5 ? { is: 'later', note: 'not yet', pause: 10 } : done));
  ring('user.slow');
  const [job] = await settled('completed', 1);
  assert.deepEqual([looks, job?.attempts], [6, 1]);
});

test('a worker that stops lets running jobs finish, and takes no new ones', async (t) => {
  const { ring, settled, backlog } = await queues(t);
  const { opened, open } = gate();
  let looks = 0;
  const workers = worker(
    t,
    async () => {
      looks += 1;
      await opened;
      return done;
    },
    { concurrency: 1 },
  );
  ring('user.a');
  await until('it is looked at', () => looks === 1);
  ring('user.b');
  await settled('waiting', 1);
  const stopped = workers.stop();
  open();
  await stopped;
  assert.equal(looks, 1);
  const { completed, waiting, active } = await backlog.counts('reconcile');
  assert.deepEqual({ completed, waiting, active }, { completed: 1, waiting: 1, active: 0 });
});

for (const [how, heeds] of [
  ['heeds its signal', true],
  ['heeds nothing', false],
] as const) {
  test(`a job that takes longer than the grace and ${how} is given back, for another worker`, async (t) => {
    const { ring, settled, backlog } = await queues(t);
    let told = false;
    const hangs = (_: unknown, signal: AbortSignal) =>
      new Promise<Outcome>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          told = true;
          if (heeds) reject(new Error('told to end'));
        });
      });
    // Locks that outlive the test: what is given back is not waited for.
    const workers = worker(t, hangs, { grace: 20, lostAfter: 60_000 });
    ring('user.a');
    await settled('active', 1);
    await workers.stop();
    assert.ok(told);
    const { waiting, active } = await backlog.counts('reconcile');
    assert.deepEqual({ waiting, active }, { waiting: 1, active: 0 });
    worker(t, () => Promise.resolve(done));
    const [job] = await settled('completed', 1);
    assert.equal(job?.attempts, 1);
  });
}

test('a worker goes on after Redis was away, and stops in bounds while it is', async (t) => {
  const { ring, settled } = await queues(t);
  const workers = worker(t, () => Promise.resolve(done));
  ring('user.a');
  await settled('completed', 1);
  await redis.kill9();
  ring('user.b');
  await redis.restart();
  await until('the queues answer', () => settled('completed', 2).then(Boolean, () => false));
  await redis.kill9();
  await workers.stop();
  await work(redis.socket, () => Promise.resolve(done)).stop();
  await redis.restart();
});
