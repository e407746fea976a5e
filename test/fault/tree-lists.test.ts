// Lists of trees on a real Redis: bells that are lost, tokens that expire, events that fail.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { readDemand } from '../../services/events/demand-reader.ts';
import type { TreeEvent } from '../../services/events/tree-event.ts';
import { keptLog } from '../harness/events.ts';
import { redisOfFile } from '../harness/redis.ts';
import { appliedIn, openTrees, queue, workTrees } from '../harness/tree-events.ts';
import { TreeWorker } from '../harness/tree-worker.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

async function open(t: TestContext) {
  const opened = openTrees(redis.socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  const say = (tree: string, ...bodies: string[]) =>
    opened.trees.append(
      queue,
      bodies.map((body) => ({ tree, body })),
    );
  const left = (events: number) =>
    until(`${events} events are left`, async () => (await opened.lists.load()).events === events);
  return { ...opened, say, left };
}

function work(
  t: TestContext,
  ...[apply, options]: [Parameters<typeof workTrees>[1], Parameters<typeof workTrees>[2]?]
) {
  const workers = workTrees(redis.socket, apply, options);
  t.after(() => workers.stop());
  return workers;
}

const bodiesOf = (events: readonly TreeEvent[]) => events.map(({ body }) => body);

test('events of a tree come in order, in batches, whatever bytes are in its name and whatever they say', async (t) => {
  const { say, left } = await open(t);
  const seen = new Map<string, string[]>();
  const bodies = Array.from({ length: 250 }, (_, n) => `${n} ж\n`);
  await say('user.j\xf6\x00 \xff', ...bodies);
  await say('user.a', 'one');
  work(t, ({ tree, events }) => {
    assert.ok(events.length <= 100);
    seen.set(tree, [...(seen.get(tree) ?? []), ...bodiesOf(events)]);
    return Promise.resolve();
  });
  await left(0);
  assert.deepEqual(seen.get('user.j\xf6\x00 \xff'), bodies);
  assert.deepEqual(seen.get('user.a'), ['one']);
  await say('user.a', 'two');
  await left(0);
  assert.deepEqual(seen.get('user.a'), ['one', 'two']);
});

test('a list without a bell is rung for by the sweep, once it has waited', async (t) => {
  const { say, left, trees, lists, queues } = await open(t);
  await say('user.a', 'one');
  await say('user.a', 'two');
  const [bell] = await queues.queue(queue).getJobs('waiting');
  await bell?.remove();
  await say('user.a', 'three');
  assert.equal(await queues.queue(queue).getWaitingCount(), 0);
  assert.equal(await trees.sweep(queue, 60_000), 0);
  assert.equal(await trees.sweep(queue, 0), 1);
  // What has a bell gets no second one.
  assert.equal(await trees.sweep(queue, 0), 1);
  assert.equal(await queues.queue(queue).getWaitingCount(), 1);
  const seen: string[] = [];
  work(t, ({ events }) => {
    seen.push(...bodiesOf(events));
    return Promise.resolve();
  });
  await left(0);
  assert.deepEqual(seen, ['one', 'two', 'three']);
  assert.deepEqual(await lists.load(), { events: 0, trees: 0, troubled: 0, oldest: undefined, dead: 0 });
});

test('a stopped worker loses its tree to another, and trims nothing when it wakes', async (t) => {
  const { say, left, lists } = await open(t);
  const folder = await mkdtemp(join(tmpdir(), 'rookery-trees-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'applied');
  const worker = (gate: string) => {
    const one = new TreeWorker({ ...{ socket: redis.socket, file, lostAfter: 500, batch: 5, work: 0 }, gate });
    t.after(() => one.kill9());
    return one;
  };
  const begun = ({ pid }: TreeWorker) =>
    until('it begins', async () => (await readFile(file, 'latin1')).includes(`begins ${pid} `), 60_000);
  const numbers = Array.from({ length: 10 }, (_, n) => String(n + 1));
  const first = worker(join(folder, 'first'));
  await first.says('ready');
  await say('user.a', ...numbers);
  await begun(first);
  first.signal('SIGSTOP');
  const second = worker(join(folder, 'second'));
  await begun(second);
  await writeFile(join(folder, 'first'), '');
  first.signal('SIGCONT');
  await first.says('the hold on the tree was lost');
  assert.equal((await lists.load()).events, 10);
  await writeFile(join(folder, 'second'), '');
  await left(0);
  const applied = appliedIn(await readFile(file, 'latin1'));
  const bySecond = applied.filter(({ pid }) => pid === second.pid).map(({ number }) => String(number));
  assert.deepEqual(bySecond, numbers);
});

test('a worker is killed with trees in hand: another one goes on with them, without any sweep', async (t) => {
  const { trees, left } = await open(t);
  const folder = await mkdtemp(join(tmpdir(), 'rookery-trees-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'applied');
  const worker = (more: { gate?: string }) => {
    const one = new TreeWorker({ ...{ socket: redis.socket, file, lostAfter: 500, batch: 5, work: 0 }, ...more });
    t.after(() => one.kill9());
    return one;
  };
  const first = worker({ gate: join(folder, 'never') });
  await first.says('ready');
  const names = Array.from({ length: 30 }, (_, n) => `user.u${n}`);
  await trees.append(
    queue,
    names.map((tree) => ({ tree, body: '1' })),
  );
  const begun = async () => (await readFile(file, 'latin1').catch(() => '')).split('begins').length - 1;
  await until('it has all trees in hand', async () => (await begun()) === names.length);
  await first.kill9();
  worker({});
  await left(0);
  assert.deepEqual(
    appliedIn(await readFile(file, 'latin1'))
      .map(({ tree }) => tree)
      .sort(),
    names.sort(),
  );
});

test('a tree that takes long, or fails, holds up none of those that are taken with it or come later', async (t) => {
  const { say, left } = await open(t);
  const seen: string[] = [];
  let open_: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open_ = resolve));
  let fails = true;
  const apply: Parameters<typeof work>[1] = async ({ tree, events }) => {
    if (tree === 'user.slow') await opened;
    if (tree === 'user.bad' && fails) throw new Error('no');
    seen.push(...bodiesOf(events));
  };
  await say('user.slow', 'slow');
  await say('user.bad', 'bad');
  for (let n = 0; n < 20; n += 1) await say(`user.u${n}`, 'one');
  work(t, apply, { concurrency: 2, trees: 2, pause: { first: 60_000, longest: 60_000 } });
  await left(2);
  for (let n = 0; n < 20; n += 1) await say(`user.u${n}`, 'two');
  await left(2);
  assert.equal(seen.length, 40);
  fails = false;
  open_();
  await left(1);
  assert.deepEqual(seen.slice(40), ['slow']);
});

test('however many trees wait, one bell does, also in a paused queue; the demand is that of the trees', async (t) => {
  const { say, queues } = await open(t);
  await queues.queue(queue).pause();
  for (let n = 0; n < 20; n += 1) await say(`user.u${n}`, 'one');
  assert.equal(await queues.queue(queue).getWaitingCount(), 1);
  await queues.queue(queue).resume();
  for (let n = 20; n < 40; n += 1) await say(`user.u${n}`, 'one');
  assert.equal(await queues.queue(queue).getWaitingCount(), 1);
  const { waiting, oldestAge } = await readDemand(queues, queue);
  assert.equal(waiting, 40);
  assert.ok(oldestAge > 0);
});

test('the hold is renewed as long as the work takes', async (t) => {
  const { say, left, lists } = await open(t);
  let open_: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open_ = resolve));
  let calls = 0;
  work(
    t,
    async () => {
      calls += 1;
      await opened;
    },
    { lostAfter: 200 },
  );
  await say('user.a', 'one');
  await until('it is worked on', () => calls === 1);
  const other = { trees: 1, events: 1, token: 'other', holds: 1_000 };
  const since = performance.now();
  while (performance.now() - since < 1_000) assert.deepEqual((await lists.next(other)).taken, []);
  open_();
  await left(0);
  assert.equal(calls, 1);
});

test('only who has the token trims, fails or renews', async (t) => {
  const { say, lists } = await open(t);
  await say('user.a', 'one', 'two');
  const room = { trees: 1, events: 10, holds: 60_000 };
  const [mine, other] = [
    { tree: 'user.a', token: 'mine' },
    { tree: 'user.a', token: 'other' },
  ] as const;
  const next = async (...[token, done]: [string, Parameters<typeof lists.next>[1]?]) => {
    const { taken, lost } = await lists.next({ ...room, token }, done);
    return { taken: taken.map(({ hold, events }) => [hold.token, ...bodiesOf(events)]), lost };
  };
  assert.deepEqual(await next('mine'), { taken: [['mine', 'one', 'two']], lost: [] });
  assert.deepEqual(await next('other'), { taken: [], lost: [] });
  assert.deepEqual(await next('third', [{ hold: other, count: 2 }]), { taken: [], lost: ['user.a'] });
  const failure = { reason: 'no', alone: true, attempts: 1, pause: { first: 1, longest: 1 } };
  assert.equal(await lists.fail(other, failure), undefined);
  assert.deepEqual(await lists.renew(60_000, [other]), ['user.a']);
  await lists.release(other);
  assert.deepEqual(await lists.renew(60_000, [mine]), []);
  assert.deepEqual(await next('third', [{ hold: mine, count: 1 }]), { taken: [['mine', 'two']], lost: [] });
  assert.deepEqual(await next('third', [{ hold: mine, count: 1 }]), { taken: [], lost: [] });
  // The end of the list is the end of the hold.
  assert.deepEqual(await lists.renew(60_000, [mine]), ['user.a']);
});

test('a poison event is set aside after its attempts, with its reason, and its tree goes on', async (t) => {
  const { say, left, lists } = await open(t);
  const log = keptLog();
  const seen: string[] = [];
  work(
    t,
    ({ events }) => {
      for (const { body } of events) {
        if (body === 'poison') throw new Error('mail1 says no');
        seen.push(body);
      }
      return Promise.resolve();
    },
    { poison: 3, log },
  );
  await say('user.a', 'one', 'poison', 'two', 'three');
  await left(0);
  // One came before the poison in the batch that failed, and once more alone.
  assert.deepEqual(seen, ['one', 'one', 'two', 'three']);
  const [aside, ...more] = await lists.aside(10);
  assert.deepEqual(more, []);
  const { id = 0, at, since, ...rest } = aside ?? {};
  assert.deepEqual(rest, { tree: 'user.a', body: 'poison', attempts: 3, reason: 'mail1 says no' });
  assert.ok(at !== undefined && since !== undefined && since >= at);
  assert.equal(log.lines.filter(({ text }) => text === 'an event of a tree is set aside').length, 1);
  assert.equal(await lists.discard(id + 1), false);
  assert.equal(await lists.discard(id), true);
  assert.equal((await lists.load()).dead, 0);
});

test('what was set aside can be given back, behind what waits', async (t) => {
  const { say, left, lists, trees } = await open(t);
  const seen: string[] = [];
  let poisonous = true;
  work(
    t,
    ({ events }) => {
      for (const { body } of events) if (poisonous && body === 'poison') throw new Error('no');
      seen.push(...bodiesOf(events));
      return Promise.resolve();
    },
    { poison: 2 },
  );
  await say('user.a', 'poison', 'two');
  await left(0);
  poisonous = false;
  const [aside] = await lists.aside(10);
  assert.equal(await trees.giveBack(queue, 999), false);
  assert.equal(await trees.giveBack(queue, aside?.id ?? 0), true);
  await left(0);
  assert.deepEqual(seen, ['two', 'poison']);
  assert.deepEqual(await lists.aside(10), []);
});

test('where what follows makes no sense without it, the tree waits for a poison event; other trees do not', async (t) => {
  const { say, left, lists } = await open(t);
  let poisonous = true;
  const seen: string[] = [];
  let attempts = 0;
  work(t, ({ events }) => {
    const poison = events.findIndex(({ body }) => body === 'poison');
    if (poison >= 0 && poisonous) {
      attempts += 1;
      throw new Error('no');
    }
    seen.push(...bodiesOf(events));
    return Promise.resolve();
  });
  await say('user.a', 'one', 'poison', 'two');
  await say('user.b', 'other');
  await until('it is tried again and again', () => attempts > 5);
  await left(2);
  assert.deepEqual(seen.sort(), ['one', 'other']);
  const { trees, troubled, dead } = await lists.load();
  assert.deepEqual({ trees, troubled, dead }, { trees: 1, troubled: 1, dead: 0 });
  poisonous = false;
  await left(0);
  assert.deepEqual(seen.slice(2), ['poison', 'two']);
});

test('what nobody can read is set aside at once, wherever it is in a batch; what fails for others waits', async (t) => {
  const { say, left, lists } = await open(t);
  const seen: string[] = [];
  let away = true;
  work(
    t,
    ({ events }) => {
      if (events.some(({ body }) => body.startsWith('{bad'))) throw new Error('unexpected token');
      if (away) throw new Error('Redis is away');
      seen.push(...bodiesOf(events));
      return Promise.resolve();
    },
    { unreadable: (body) => (body.startsWith('{bad') ? `no JSON: ${body}` : undefined) },
  );
  await say('user.a', '{bad 1', 'one', 'two', '{bad 2', '{bad 3', 'three', '{bad 4');
  await left(6);
  await until('the rest waits', async () => (await lists.load()).troubled === 1);
  away = false;
  await left(0);
  assert.deepEqual(seen, ['one', 'two', 'three']);
  assert.deepEqual(
    (await lists.aside(10)).map(({ body, attempts, reason }) => [body, attempts, reason]),
    [1, 2, 3, 4].map((n) => [`{bad ${n}`, 1, `no JSON: {bad ${n}`]),
  );
});

test('what is no event in a list is set aside, and holds up no tree that is taken with it', async (t) => {
  const { say, left, lists, queues, trees } = await open(t);
  const list = (tree: string) => `${lists.prefix}list:${tree}`;
  await say('user.a', 'one');
  await say('user.bad', 'first');
  await say('user.c', 'three');
  await queues.redis.lpush(list('user.bad'), 'not an event');
  await queues.redis.rpush(list('user.bad'), 'another one', '1 2');
  await say('user.bad', 'last');
  const seen: string[] = [];
  work(t, ({ events }) => {
    seen.push(...bodiesOf(events));
    return Promise.resolve();
  });
  await left(0);
  assert.deepEqual(seen.sort(), ['first', 'last', 'one', 'three']);
  const aside = await lists.aside(10);
  assert.deepEqual(
    aside.map(({ tree, body, attempts }) => [tree, body, attempts]),
    ['not an event', 'another one', '1 2'].map((body) => ['user.bad', body, 0]),
  );
  const { dead, trees: waiting } = await lists.load();
  assert.deepEqual([dead, waiting], [3, 0]);
  assert.equal(await trees.giveBack(queue, aside[0]?.id ?? 0), true);
  await left(0);
  assert.deepEqual(seen.slice(4), ['not an event']);
});

test('what is none of ours among the events that were set aside is shown, not given back, and discarded', async (t) => {
  const { lists, queues, trees } = await open(t);
  for (const value of ['not JSON', '5', '["user.a","x","b","1","1","r"]', '[]']) {
    await queues.redis.hset(`${lists.prefix}dead`, '7', value);
    const [{ id, body, reason } = { id: 0, body: '', reason: '' }] = await lists.aside(10);
    assert.deepEqual([id, body], [7, value]);
    assert.match(reason, /no event/);
  }
  await queues.redis.hset(`${lists.prefix}dead`, '7', 'not JSON');
  assert.equal(await trees.giveBack(queue, 7), false);
  assert.equal(await lists.discard(7), true);
});

test('trees are worked off though the clock of Redis was set back by hours, also those of a worker that died before', async (t) => {
  const { say, lists, queues, trees } = await open(t);
  const redisOf = queues.redis;
  const names = ['user.a', 'user.held', 'user.soon'];
  for (const name of names) await say(name, name);
  const hours = 5 * 3_600_000;
  // As the scripts would have written it by a clock that is five hours ahead.
  await redisOf.zadd(`${lists.prefix}due`, Date.now() + hours, 'user.a', Date.now() + hours, 'user.held');
  await redisOf.zadd(`${lists.prefix}due`, Date.now() + 500_000, 'user.soon');
  await redisOf.set(lists.tokenKey('user.held'), 'of the dead', 'PX', hours);
  const [bell] = await queues.queue(queue).getJobs('waiting');
  await bell?.remove();
  const { count, tree } = await lists.overdue(60_000);
  assert.equal(count, 2);
  assert.ok(tree === 'user.a' || tree === 'user.held');
  assert.equal(await trees.sweep(queue, 60_000), 2);
  const seen: string[] = [];
  work(
    t,
    ({ events }) => {
      seen.push(...bodiesOf(events));
      return Promise.resolve();
    },
    { lostAfter: 300 },
  );
  await until('they are worked off', async () => {
    // The dead one has no bell here.
    await trees.sweep(queue, 0);
    return (await lists.load()).events === 1;
  });
  assert.deepEqual(seen, ['user.a', 'user.held'], 'a pause of minutes is a pause');
});
