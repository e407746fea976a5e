// From changes of a real directory, and from deliveries, to the queues of the backends that have a replica.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { startChangeSource } from '../../services/changes/change-source.ts';
import type { Directory, Verb } from '../../services/directory/directory.ts';
import { followed } from '../../services/events/following.ts';
import { replicaQueue } from '../../services/events/queues.ts';
import { treeProcessor } from '../../services/events/tree-drain.ts';
import { Replicas } from '../../services/replication/replicas.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { workOn } from '../harness/events.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { openTrees } from '../harness/tree-events.ts';
import { until } from '../harness/until.ts';

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

async function open(t: TestContext, ...backends: string[]) {
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const opened = openTrees(events.socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  const replicas = new Replicas(opened.producer, backends);
  const follow = () => {
    const { directory } = scratch;
    const source = startChangeSource({
      ...{ directory, events: opened.trees, subscriber: replicas, lostAfter: 1_000, log: quietLog },
    });
    t.after(() => source.stop());
    return source;
  };
  const workers = workOn(events.socket, {
    replication: treeProcessor({
      ...{ lists: opened.trees.lists('replication'), apply: replicas.apply, poison: 'wait', batch: 100 },
      ...{ lostAfter: 1_000, pause: { first: 10, longest: 50 }, log: quietLog },
    }),
  });
  t.after(() => workers.stop());
  /** What waits for the replica of a backend. */
  const waiting = async (backend: string) =>
    (await opened.backlog.jobs(replicaQueue(backend), ['waiting'], 1_000)).map(({ subject }) => subject).sort();
  return { ...opened, directory: scratch.directory, replicas, follow, waiting };
}

async function write(directory: Directory, verb: Verb, name: string, location = '', server = location): Promise<void> {
  const acl = verb === 'ACTIVATE' ? 'a\tlrs\t' : '';
  const writer = { session: `s-${Math.random()}`, server: server.split('!')[0] ?? '', admin: true, push: false };
  const { ok, text } = await directory.write({ verb, name, location, acl }, writer);
  assert.ok(ok, text);
  await directory.end(writer.session, 'logout');
}

test('a change rings for the replicas of where the mailbox is and was; a thousand of one tree are one job', async (t) => {
  const { directory, follow, waiting, backlog } = await open(t, 'mail1', 'mail2');
  follow();
  await until('it follows', async () => (await redisSays(events.socket, 'KEYS *replication:position')).length > 1);
  await write(directory, 'ACTIVATE', 'user.ann', 'mail1!default');
  await write(directory, 'ACTIVATE', 'example.org!user.j^doe.Sent', 'mail2!default');
  await write(directory, 'ACTIVATE', 'user.elsewhere', 'mail3!default');
  await write(directory, 'ACTIVATE', 'news.all', 'mail1!default');
  for (let n = 0; n < 200; n += 1) await write(directory, 'ACTIVATE', 'user.ann', 'mail1!default');
  await write(directory, 'DELETE', 'user.gone', '', 'mail1!').catch(() => undefined);
  await until('they are rung for', async () => (await waiting('mail2')).length === 1);
  assert.deepEqual(await waiting('mail2'), ['example.org!user.j^doe']);
  assert.deepEqual(await waiting('mail1'), ['user.ann']);
  await write(directory, 'DEACTIVATE', 'user.ann', 'mail1!default');
  await write(directory, 'ACTIVATE', 'user.ann', 'mail2!default');
  await until('both hear of the move', async () => (await waiting('mail2')).length === 2);
  assert.deepEqual(await waiting('mail3'), []);
  assert.equal((await backlog.counts(replicaQueue('mail1'))).waiting, 1);
});

test('what changed while nobody followed is told of when somebody does, and every tree at the first time', async (t) => {
  const { directory, follow, waiting } = await open(t, 'mail1');
  await write(directory, 'ACTIVATE', 'user.ann', 'mail1!default');
  await write(directory, 'ACTIVATE', 'user.bob', 'mail2!default');
  const first = follow();
  await until('it is told of', async () => (await waiting('mail1')).length === 1);
  await first.stop();
  await write(directory, 'ACTIVATE', 'user.cas', 'mail1!default');
  follow();
  await until('the next is told of', async () => (await waiting('mail1')).length === 2);
  assert.deepEqual(await waiting('mail1'), ['user.ann', 'user.cas']);
});

test('a delivery rings where its backend has a replica; while Redis is away nobody waits for it', async (t) => {
  const { replicas, waiting } = await open(t, 'mail1');
  const begun = performance.now();
  await events.kill9();
  for (let n = 0; n < 1_000; n += 1) replicas.delivered(`user.u${n % 50}`, 'mail1');
  replicas.delivered('user.other', 'mail2');
  replicas.delivered('news.all', 'mail1');
  // Not a word to Redis has been waited for: this is all one turn of the process.
  assert.ok(performance.now() - begun < 10_000);
  await events.restart();
  await until('they are rung for', async () => (await waiting('mail1').catch(() => [])).length === 50, 30_000);
  assert.deepEqual(await waiting('mail2'), []);
});

test('whoever waits for a ring hears what became of it, and of the one that follows it', async (t) => {
  const { producer, backlog } = await open(t, 'mail1');
  const queue = replicaQueue('mail1');
  const asked = { queue, payload: { tree: 'user.ann' } } as const;
  await producer.rung(queue, [asked.payload]);
  assert.equal((await followed(backlog, asked, 300))?.state, 'waiting');
  let open_: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open_ = resolve));
  let runs = 0;
  const workers = workOn(events.socket, {
    [queue]: async () => {
      runs += 1;
      if (runs === 1) await opened;
      return { is: 'done', note: `run ${runs}` };
    },
  });
  t.after(() => workers.stop());
  await until('it runs', () => runs === 1);
  await producer.rung(queue, [asked.payload]);
  const end = followed(backlog, asked, 20_000);
  open_();
  assert.equal((await end)?.reason, 'run 2');
  assert.equal(await followed(backlog, { queue, payload: { tree: 'user.never' } }, 20_000), undefined);
});
