// Changes of the directory become events of their trees, each once and in order, wherever the process that makes them ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Directory, Verb } from '../../services/directory/directory.ts';
import { assertCounted, openCounts } from '../harness/change-source.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { keptLog } from '../harness/events.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

/** The directory and the events each have one: either can be lost alone. */
let redis: ScratchRedis;
let events: ScratchRedis;
before(async () => {
  [redis, events] = await Promise.all([startRedis(), startRedis()]);
});
after(() => Promise.all([redis.stop(), events.stop()]));
beforeEach(async () => {
  await redisSays(redis.socket, 'FLUSHALL');
  await redisSays(events.socket, 'FLUSHALL');
});

async function open(t: TestContext, options: Parameters<typeof openScratchDirectory>[1] = {}) {
  const scratch = await openScratchDirectory(redis.socket, options);
  const { directory } = scratch;
  t.after(() => scratch.close());
  const opened = openCounts(events.socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  const source = (...args: Parameters<typeof opened.source>) => {
    const running = opened.source(...args);
    t.after(() => running.stop());
    return running;
  };
  const work = () => {
    const workers = opened.work();
    t.after(() => workers.stop());
    return workers;
  };
  return { ...opened, directory, source, work };
}

/** Writes of any kind on some trees, by several servers; the chance is the test's own. */
async function churn(directory: Directory, writes: number, trees = 40): Promise<void> {
  const any = <T>(...all: T[]): T => all[Math.floor(Math.random() * all.length)] as T;
  for (let n = 0; n < writes; n += 20) {
    const some = Array.from({ length: 20 }, () => {
      const tree = Math.floor(Math.random() * trees);
      const name = any(`user.u${tree}`, `user.u${tree}.Sent`, `user.\xe9${tree}`, `news.g${tree}`, 'odd..name');
      const verb = any<Verb>('ACTIVATE', 'ACTIVATE', 'RESERVE', 'DEACTIVATE', 'DELETE');
      const location = verb === 'DELETE' ? '' : any('mail1!default', 'mail2!u2', 'mail\xff3!');
      const write = { verb, name, location, acl: verb === 'ACTIVATE' ? 'a\tlrs\t' : '' };
      return directory.write(write, { session: `s-${tree}`, admin: true, push: false });
    });
    await Promise.all(some);
  }
}

/** The events of all lists as they lie there: the numbers of their changes, by tree. */
async function listed({ lists }: Awaited<ReturnType<typeof open>>): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  const { taken } = await lists.next({ trees: 1e4, events: 1e6, token: 'the test', holds: 60_000 });
  for (const { hold, events } of taken) {
    found.set(
      hold.tree,
      events.map(({ body }) => (JSON.parse(body) as { seq: number }).seq),
    );
    await lists.release(hold);
  }
  return found;
}

test('counts by server are kept from changes, and are those of a full count', async (t) => {
  const { directory, counts, source, work } = await open(t, { shards: 4 });
  await churn(directory, 400);
  source(directory);
  work();
  await assertCounted(counts, directory);
  await churn(directory, 2_000);
  await assertCounted(counts, directory);
  assert.ok([...(await counts.byServer()).values()].some(({ users }) => users > 0));
});

test('a source that starts again goes on where it was; another one stands by meanwhile, and takes over', async (t) => {
  const { directory, counts, source, work } = await open(t);
  const log = keptLog();
  const first = source(directory, { log });
  work();
  const leads = () => log.lines.filter(({ text }) => text === 'changes: this process makes events of them').length;
  await until('it leads', () => leads() === 1);
  const other = await open(t);
  const second = other.source(other.directory, { log });
  await churn(directory, 200);
  await assertCounted(counts, directory);
  assert.equal(leads(), 1);
  await first.stop();
  await churn(directory, 200);
  await until('the other leads', () => leads() === 2);
  await assertCounted(counts, directory);
  await second.stop();
  await churn(directory, 200);
  source(directory, { log });
  await assertCounted(counts, directory);
  // Only the very first one had no position.
  assert.equal(log.lines.filter(({ text }) => text === 'changes: every tree is told of anew').length, 1);
});

test('kill -9 of the source, again and again: each change is in its list once, and in order', async (t) => {
  const opened = await open(t);
  const { directory, counts, work, trees } = opened;
  const file = join(import.meta.dirname, '../harness/source-process.ts');
  const start = () =>
    spawn(process.execPath, [file, redis.socket, events.socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  let process_ = start();
  const killed = async () => {
    process_.kill('SIGKILL');
    if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit');
  };
  t.after(killed);
  const position = () => redisSays(events.socket, 'GET rookery:{events}:trees:counts:position');
  // From its first position on, which is before the first change, everything must come by the log.
  await until('it has a position', async () => (await position()).length > 1, 20_000);
  for (let kills = 0; kills < 4; kills += 1) {
    await once(process_.stdout as NodeJS.EventEmitter, 'data').catch(() => undefined);
    const writing = churn(directory, 1_000);
    await sleep(Math.random() * 400);
    await killed();
    process_ = start();
    await writing;
  }
  const [head] = await directory.head();
  await until('it has caught up', async () => (await position())[1]?.startsWith(`[[${head?.seq},`) ?? false, 20_000);
  const found = await listed(opened);
  for (const [tree, numbers] of found) {
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
      tree,
    );
  }
  const all = [...found.values()].flat().sort((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: head?.seq ?? 0 }, (_, n) => n + 1),
  );
  work();
  // A bell was lost wherever it was killed between the lists and the queue.
  await trees.sweep('counts', 0);
  await assertCounted(counts, directory);
});

test('a Redis of the events that comes back older is given again what it has lost', async (t) => {
  const { directory, counts, source, work } = await open(t);
  const log = keptLog();
  source(directory, { log });
  work();
  await churn(directory, 200);
  await assertCounted(counts, directory);
  await redisSays(events.socket, 'BGREWRITEAOF');
  await until('it is on disk', async () =>
    (await redisSays(events.socket, 'INFO persistence')).some((line) => line === 'aof_rewrite_in_progress:0'),
  );
  await redisSays(events.socket, 'CONFIG SET appendonly no');
  const older = await redisSays(events.socket, 'GET rookery:{events}:trees:counts:position');
  await churn(directory, 200);
  await assertCounted(counts, directory);
  await events.kill9();
  await events.restart();
  assert.deepEqual(await redisSays(events.socket, 'GET rookery:{events}:trees:counts:position'), older);
  await churn(directory, 200);
  await assertCounted(counts, directory);
  assert.equal(log.lines.filter(({ text }) => text === 'changes: every tree is told of anew').length, 1);
});

test('where the log was trimmed past its position every tree is told of anew, and the log says so', async (t) => {
  const { directory, counts, source, work } = await open(t, { changeLogLength: 100 });
  const first = source(directory);
  work();
  await churn(directory, 100);
  await assertCounted(counts, directory);
  await first.stop();
  await churn(directory, 2_000);
  const log = keptLog();
  source(directory, { log });
  await assertCounted(counts, directory);
  const anew = log.lines.find(({ text }) => text === 'changes: every tree is told of anew');
  assert.match(String(anew?.['reason']), /comes after|is gone/);
  await churn(directory, 200);
  await assertCounted(counts, directory);
});

test('where the directory has lost its data, what is gone is counted no more', async (t) => {
  const { directory, counts, source, work, lists } = await open(t);
  const log = keptLog();
  source(directory, { log });
  work();
  await churn(directory, 400);
  await assertCounted(counts, directory);
  await redisSays(redis.socket, 'FLUSHALL');
  const anew = () => log.lines.filter(({ text }) => text === 'changes: every tree has been told of').length;
  await until('it was seen', () => anew() === 2);
  await until('all is applied', async () => (await lists.load()).events === 0);
  await churn(directory, 100);
  await assertCounted(counts, directory);
});

test('events that lost their own data are made anew from the directory', async (t) => {
  const { directory, counts, source, work } = await open(t);
  source(directory);
  work();
  await churn(directory, 200);
  await assertCounted(counts, directory);
  await redisSays(events.socket, 'FLUSHALL');
  await churn(directory, 200);
  await assertCounted(counts, directory);
});

test('rookery up counts what is in its directory, and shows it as metrics', async (t) => {
  const { directory } = await open(t);
  const anyPort = { host: '127.0.0.1', port: 0 };
  const rookery = await Rookery.layOut({
    redis: { directory: { url: redis.socket }, events: { url: events.socket } },
    directory: { listen: [anyPort] },
    lmtp: { listen: [anyPort] },
    api: { listen: anyPort },
  });
  t.after(() => rookery.stop());
  await rookery.start();
  for (const name of ['user.a', 'user.a.Sent', 'news']) {
    const write = { verb: 'ACTIVATE', name, location: 'mail1!p', acl: '' } as const;
    await directory.write(write, { session: 's', admin: true, push: false });
  }
  const { host, port } = rookery.address('HTTP');
  const metrics = async () => (await fetch(`http://${host}:${port}/metrics`)).text();
  await until('it is counted', async () => (await metrics()).includes('rookery_mailboxes{server="mail1"} 3'), 30_000);
  const text = await metrics();
  assert.match(text, /^rookery_users\{server="mail1"\} 1$/m);
  assert.match(text, /^rookery_tree_events\{queue="counts"\} 0$/m);
});
