// Mail for a mailbox that is being moved: looked for at RCPT and again at DATA, put off or held, and delivered to where it then lives.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NearCache } from '../../services/directory/near-cache.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
before(async () => (redis = await startRedis()));
after(() => redis.stop());
beforeEach(() => redisSays(redis.socket, 'FLUSHALL'));

const name = 'user.ann';
const lease = { destination: 'mail2', token: 'move-1' };
const moving = '451 4.2.1 Mailbox is being moved to another server';

/** ann lives on mail1, bob on mail2; what the proxy knows it remembers, and another process moves ann. */
async function stand(t: TestContext, { hold = 0, rows = 100 } = {}) {
  const [mail1, mail2] = [await new FakeBackend().listen(), await new FakeBackend().listen()];
  const [here, there] = [await openScratchDirectory(redis.socket), await openScratchDirectory(redis.socket)];
  const at = (server: string, of = name) => {
    const writer = { session: server, server, admin: true, push: false };
    return there.directory.write({ verb: 'ACTIVATE', name: of, location: `${server}!default`, acl: '' }, writer);
  };
  await at('mail1');
  await at('mail2', 'user.bob');
  const cache = new NearCache({
    ...{ directory: here.directory, leases: here.directory.routing, reader: 'mx' },
    ...{ rows, lease: 10_000, renewal: 2_000, maxStale: 0, patience: 5_000 },
    ...{ mayMove: () => false, onState: () => undefined, onAnswer: () => undefined },
  });
  await cache.begin();
  const proxy = await runProxy(t, { backends: { mail1, mail2 }, users: {}, directory: cache, hold });
  t.after(async () => {
    await cache.close();
    await Promise.all([mail1.close(), mail2.close(), here.close(), there.close()]);
  });
  const mta = await Mta.greet(proxy.address);
  const taken = () => [
    mail1.messages.filter((one) => one.whole).length,
    mail2.messages.filter((one) => one.whole).length,
  ];
  const take = async () => {
    assert.equal(await there.directory.lease(name, lease, 60_000), true);
  };
  const move = async () => {
    await at('mail2');
    await there.directory.release(name, lease.token);
  };
  return { mta, proxy, taken, take, move, at };
}

/** MAIL and RCPTs: what was said to these. */
async function offered(mta: Mta, rcpts: readonly string[]): Promise<string[]> {
  await mta.say('MAIL FROM:<s@example.org>');
  const said: string[] = [];
  for (const rcpt of rcpts) said.push(await mta.say(`RCPT TO:${rcpt}`));
  return said;
}

/** DATA, the message, and the replies to it. */
async function brought(mta: Mta, raw: string | Buffer, replies: number): Promise<string[]> {
  assert.match(await mta.say('DATA'), /^354/);
  return mta.body(raw, replies);
}

const message = 'Subject: x\r\n\r\nhello\r\n';

for (const rows of [100, 0]) {
  test(`a move between RCPT and DATA is seen (${rows} rows are remembered)`, async (t) => {
    const { mta, taken, at } = await stand(t, { rows });
    assert.deepEqual(await offered(mta, ['<ann>', '<bob>', '<ann>']), Array(3).fill('250 2.1.5 Ok'));
    await at('mail2');
    // What others change is heard of soon, not at once.
    await sleep(100);
    const said = await brought(mta, message, 3);
    assert.ok(said.every((one) => one.startsWith('250')));
    assert.deepEqual(taken(), [0, 1]);
  });
}

test('a lease that is taken between RCPT and DATA puts its recipients off, and no others', async (t) => {
  const { mta, proxy, taken, take } = await stand(t);
  await offered(mta, ['<ann>', '<bob>']);
  await take();
  await sleep(100);
  const [ann, bob] = await brought(mta, message, 2);
  assert.equal(ann, moving);
  assert.match(bob ?? '', /^250/);
  assert.deepEqual(taken(), [0, 1]);
  assert.deepEqual(
    proxy.outcomes.map(({ reason }) => reason),
    ['lease', undefined],
  );
});

test('held at RCPT, until the mailbox is at its new home', async (t) => {
  const { mta, taken, take, move } = await stand(t, { hold: 30 });
  await take();
  await mta.say('MAIL FROM:<>');
  const said = mta.say('RCPT TO:<ann>');
  await sleep(200);
  assert.deepEqual(taken(), [0, 0]);
  const begun = performance.now();
  await move();
  assert.match(await said, /^250/);
  t.diagnostic(`accepted ${(performance.now() - begun).toFixed(1)} ms after the move began to end`);
  assert.match((await brought(mta, message, 1))[0] ?? '', /^250/);
  assert.deepEqual(taken(), [0, 1]);
});

test('held at DATA, with a message that is larger than what is held for one', async (t) => {
  const { mta, taken, take, move } = await stand(t, { hold: 30 });
  await offered(mta, ['<ann>', '<bob>']);
  await take();
  await sleep(100);
  const said = brought(mta, Buffer.alloc(3_000_000, `${'x'.repeat(98)}\r\n`), 2);
  await sleep(300);
  assert.deepEqual(taken(), [0, 0]);
  await move();
  assert.ok((await said).every((one) => one.startsWith('250')));
  assert.deepEqual(taken(), [0, 1]);
});

test('held no longer than may be, for all recipients together', async (t) => {
  const { mta, take } = await stand(t, { hold: 1 });
  await take();
  const begun = performance.now();
  assert.deepEqual(await offered(mta, ['<ann>', '<ann>', '<ann>', '<ann>']), Array(4).fill(moving));
  t.diagnostic(`four recipients were put off after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
});

test('a client that goes is held for no more', async (t) => {
  const { mta, proxy, take, taken, move } = await stand(t, { hold: 60 });
  await offered(mta, ['<ann>']);
  await take();
  await sleep(100);
  mta.socket.write(`DATA\r\n${message}`);
  await sleep(200);
  mta.socket.destroy();
  await until('its session is over', () => proxy.listener.sessions === 0);
  await move();
  await sleep(200);
  assert.deepEqual(taken(), [0, 0]);
});
