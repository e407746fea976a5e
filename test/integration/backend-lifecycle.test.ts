// What operators say of backends, on a real Redis: heard by every process, and held while Redis is away, or has lost it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LifecycleFollower } from '../../services/backends/lifecycle-follower.ts';
import { LifecycleStore } from '../../services/backends/lifecycle-store.ts';
import type { Word } from '../../services/backends/lifecycle.ts';
import { Registry } from '../../services/backends/registry.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { redisOfFile, redisSays } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

const redis = redisOfFile();

async function storeHere(t: TestContext): Promise<LifecycleStore> {
  const connection = commandConnection({
    place: { socket: redis.socket },
    commandTimeout: 2000,
    onError: () => undefined,
  });
  t.after(() => {
    connection.disconnect();
  });
  await connected(connection, 5000);
  return new LifecycleStore(connection);
}

/** A registry of a process of its own, which follows. */
async function process(t: TestContext): Promise<Registry> {
  const registry = new Registry(
    ['mail1', 'mail2'].map((name) => ({ name, lmtp: undefined, imap: undefined, mupdate: true })),
  );
  const follower = new LifecycleFollower({ store: await storeHere(t), registry, log: quietLog });
  await follower.begin();
  t.after(() => follower.close());
  return registry;
}

const draining: Word = { stage: 'draining', by: 'ops', at: 0 };
const fence = { reason: 'a disk', by: 'ops', since: 1 };

test('two processes hear a word, and the later one whoever says it; who starts later knows it from the start', async (t) => {
  const store = await storeHere(t);
  const both = [await process(t), await process(t)];
  const first = await store.say('mail1', undefined, draining);
  assert.ok(first);
  await until('both have heard', () => both.every((one) => one.standing('mail1').stage === 'draining'));
  assert.equal(
    await store.say('mail1', undefined, { ...draining, stage: 'active' }),
    undefined,
    'by what is not so any more',
  );
  const second = await store.say('mail1', first, { ...draining, stage: 'active', fence });
  assert.ok(second && second.at > first.at);
  await until('both have heard', () =>
    both.every((one) => one.isFenced('mail1') && one.standing('mail1').stage === 'active'),
  );
  assert.deepEqual((await process(t)).standing('mail1'), { stage: 'active', fenced: true });
});

test('while Redis is away the last word holds, and what Redis has lost is put back, but for what was said since', async (t) => {
  const store = await storeHere(t);
  const here = await process(t);
  const one = await store.say('mail1', undefined, { ...draining, fence });
  await store.say('mail2', undefined, draining);
  await until('it is heard', () => here.isFenced('mail1') && here.standing('mail2').stage === 'draining');
  await redis.kill9();
  assert.deepEqual(here.standing('mail1'), { stage: 'draining', fenced: true });
  await redis.restart();
  await redisSays(redis.socket, 'FLUSHALL');
  await until('Redis has it again', async () => {
    const { words } = await store.all().catch(() => ({ words: new Map<string, Word>() }));
    return words.get('mail1')?.at === one?.at && words.has('mail2');
  });
  // Lost once more, and somebody was faster than all who remember.
  await redisSays(redis.socket, 'FLUSHALL');
  const { words } = await store.all();
  await store.say('mail1', words.get('mail1'), { ...draining, stage: 'active' });
  await until('the later word holds', () => here.standing('mail1').stage === 'active' && !here.isFenced('mail1'));
});

test('a word of another version is not overwritten, and what was heard before holds', async (t) => {
  const store = await storeHere(t);
  const here = await process(t);
  await store.say('mail1', undefined, draining);
  await until('it is heard', () => here.standing('mail1').stage === 'draining');
  const later = Date.now() + 60_000;
  await redisSays(redis.socket, `HSET rookery:{d0}:backends mail1 "${later} {}" "" ${later}`);
  await until('it is seen', async () => (await store.all()).unreadable.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(here.standing('mail1').stage, 'draining');
  assert.deepEqual((await store.all()).unreadable, ['mail1']);
});
