// What is remembered of the directory in Redis: it follows what others change, and carries on for a while without Redis.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { NearCache } from '../../services/directory/near-cache.ts';
import type { AnswerSource, NearCacheOptions, NearCacheState } from '../../services/directory/near-cache.ts';
import type { RedisDirectory } from '../../services/directory/redis/redis-directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
before(async () => (redis = await startRedis()));
after(() => redis.stop());
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

const name = 'user.ann';
const writer = { session: 's1', server: 'mail1', admin: true, push: false };

function activate(directory: RedisDirectory, location: string, of = name) {
  return directory.write({ verb: 'ACTIVATE', name: of, location, acl: '' }, { ...writer, server: location });
}

/** A process that remembers, and another one that changes the directory. */
async function stand(t: TestContext, options: Partial<NearCacheOptions> = {}) {
  const here = await openScratchDirectory(redis.socket);
  const there = await openScratchDirectory(redis.socket);
  const states: NearCacheState['is'][] = [];
  const sources: AnswerSource[] = [];
  const cache = new NearCache({
    ...{ directory: here.directory, leases: here.directory.routing, reader: 'mx-1' },
    ...{ rows: 100, lease: 10_000, renewal: 100, maxStale: 60_000, patience: 300 },
    mayMove: () => false,
    onState: ({ is }) => states.push(is),
    onAnswer: (source) => sources.push(source),
    ...options,
  });
  t.after(async () => {
    await cache.close();
    await Promise.all([here.close(), there.close()]);
  });
  await activate(there.directory, 'mail1');
  await cache.begin();
  const location = async (of = name) => (await cache.lookup([of])).entries[0]?.location;
  return { cache, there: there.directory, states, sources, location };
}

/** Redis answers nobody until the test lets it. */
function frozen(t: TestContext): () => void {
  const pid = redis.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  const thaw = () => void process.kill(pid, 'SIGCONT');
  t.after(thaw);
  return thaw;
}

test('a row is asked for once, and as another process changes it, it changes here', async (t) => {
  const { cache, there, sources, location } = await stand(t);
  assert.deepEqual([await location(), await location(), await location()], ['mail1', 'mail1', 'mail1']);
  assert.deepEqual(sources, ['directory', 'memory', 'memory']);
  const took: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const server = `mail${(round % 2) + 2}`;
    await activate(there, server);
    const since = performance.now();
    await until('the change is seen', async () => (await location()) === server);
    took.push(performance.now() - since);
  }
  took.sort((a, b) => a - b);
  t.diagnostic(`a change is seen after ${took[25]?.toFixed(1)} ms (median), ${took[49]?.toFixed(1)} ms at most`);
  await there.write({ verb: 'DELETE', name, location: '', acl: '' }, writer);
  await until('the deletion is seen', async () => (await cache.lookup([name])).entries[0]?.state === 'tombstone');
});

test('a lease on a tree is seen, and that it is seen can be seen', async (t) => {
  const { cache, there, location, sources } = await stand(t);
  await activate(there, 'mail1', 'user.ann.Sent');
  await location();
  await location('user.ann.Sent');
  assert.equal(await there.lease(name, { destination: 'mail2', token: 'm1' }, 60_000), true);
  const [end] = await there.head();
  await until('every reader has seen it', async () => {
    const held = await there.routing.held();
    return held.length === 1 && held.every(({ seen }) => (seen[0] ?? 0) >= (end?.seq ?? 0));
  });
  sources.length = 0;
  const { concerns } = await cache.lookup([name, 'user.ann.Sent']);
  assert.deepEqual([concerns.map((one) => one?.kind), sources], [['lease', 'lease'], ['directory']]);
  // To renew one's own lease tells nobody anything new.
  assert.equal(await there.lease(name, { destination: 'mail2', token: 'm1' }, 60_000), true);
  assert.deepEqual(await there.head(), [end]);
  await there.release(name, 'm1');
  await until('it is remembered again', async () => (await location()) === 'mail1' && sources.at(-1) === 'memory');
});

test('a reader that ends is waited for no more, and one that is silent not for longer than its lease', async (t) => {
  const { cache, there } = await stand(t);
  await there.routing.renew({ reader: 'mx-2', seen: [1] }, 500);
  assert.deepEqual((await there.routing.held()).map(({ reader }) => reader).sort(), ['mx-1', 'mx-2']);
  await until('it is over', async () => (await there.routing.held()).length === 1);
  await cache.close();
  assert.deepEqual(await there.routing.held(), []);
});

test('while Redis hangs, what is remembered is delivered, the rest is refused at once, and nobody has to help after', async (t) => {
  const { states, location, sources, there } = await stand(t, { lease: 200, renewal: 50 });
  await location();
  const thaw = frozen(t);
  await until('it is away', async () => {
    await location();
    return states.includes('away');
  });
  const since = performance.now();
  await assert.rejects(location('user.bob'), /no answer/);
  await assert.rejects(location('user.cas'), /no answer/);
  t.diagnostic(`two unknown ones were put off within ${(performance.now() - since).toFixed(1)} ms`);
  await until('the lease has ended', async () => {
    await location();
    return sources.at(-1) === 'stale';
  });
  assert.equal(await location(), 'mail1');
  thaw();
  await until('it is back', () => states.at(-1) === 'asking');
  await activate(there, 'mail2');
  await until('it follows again', async () => (await location()) === 'mail2' && sources.at(-1) === 'memory');
});

test('without a lease nothing is sent to a server that may have moved to another host, and nothing for too long', async (t) => {
  const mayMove = (server: string) => server === 'mail2';
  const { cache, there, states, location } = await stand(t, { lease: 200, renewal: 50, maxStale: 1500, mayMove });
  await activate(there, 'mail2', 'user.bob');
  await until('both are remembered', async () => {
    await location('user.bob');
    return (await location()) === 'mail1' && cache.rows === 2;
  });
  frozen(t);
  await until('it is away', async () => {
    await location();
    return states.includes('away');
  });
  await until('one is not known any more', () =>
    location('user.bob').then(
      () => false,
      () => true,
    ),
  );
  assert.equal(await location(), 'mail1');
  await until('neither is the other', () =>
    location().then(
      () => false,
      () => true,
    ),
  );
  assert.equal(cache.state.is === 'away' && cache.state.left, 0);
});

test('with data lost in Redis nothing that was remembered counts', async (t) => {
  const { cache, there, location } = await stand(t);
  await location();
  assert.equal(cache.rows, 1);
  await redisSays(redis.socket, 'FLUSHALL');
  await until('it is forgotten', () => cache.rows === 0);
  assert.equal(await location(), undefined);
  await until('the directory is made anew', () =>
    activate(there, 'mail4').then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await until('it is followed', async () => (await location()) === 'mail4');
});
