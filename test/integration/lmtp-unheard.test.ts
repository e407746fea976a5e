// What was delivered, but could not be told to the MTA, is not delivered again when it comes again: through Redis, by any proxy.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openUnheard as openForProcess } from '../../services/process/open-unheard.ts';
import type { UnheardStore } from '../../services/lmtp/unheard-replies.ts';
import type { UnheardReplies } from '../../services/redis/unheard-replies.ts';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy, type ProxyRun } from '../harness/lmtp-proxy.ts';
import { redisSays, startRedis, type ScratchRedis } from '../harness/redis.ts';
import { openUnheard, type Events } from '../harness/unheard.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());
beforeEach(async () => {
  await redis.restart();
  await redisSays(redis.socket, 'FLUSHALL');
});

const ok = /^250 2\.1\.5 /;
const message = 'Subject: x\r\n\r\nhello\r\n';

interface Site {
  mail1: FakeBackend;
  mail2: FakeBackend;
  proxies: { proxy: ProxyRun; unheard: UnheardReplies; events: Events }[];
}

/** Two proxies before two backends, with one Redis. */
async function site(t: TestContext, behaviour: Partial<Behaviour> = {}, settings = {}): Promise<Site> {
  const mail1 = await new FakeBackend(behaviour).listen();
  const mail2 = await new FakeBackend().listen();
  t.after(() => Promise.all([mail1.close(), mail2.close()]));
  const proxies: Site['proxies'] = [];
  for (let count = 0; count < 2; count++) {
    const { replies, events, close } = openUnheard(redis.socket);
    t.after(close);
    const backends = { mail1, mail2 };
    const users = { ann: 'mail1', bob: 'mail1', cas: 'mail2' };
    const proxy = await runProxy(t, { backends, users, unheard: replies, settings });
    await until('Redis is reached', () => replies.key !== undefined);
    proxies.push({ proxy, unheard: replies, events });
  }
  return { mail1, mail2, proxies };
}

/** Sends a message, and is gone once the backends have it, before it hears what became of it. */
async function sendAndVanish(
  proxy: ProxyRun,
  rcpts: string[],
  body: string | Buffer,
  backends: FakeBackend[],
): Promise<void> {
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(rcpts);
  mta.socket.write(body, 'latin1');
  mta.socket.write('.\r\n');
  await until('the backends have it', () => backends.every((each) => each.messages.at(-1)?.whole === true));
  mta.socket.resetAndDestroy();
}

function whole(backend: FakeBackend): number {
  return backend.messages.filter((each) => each.whole).length;
}

for (const [what, body] of [
  ['a small message', message],
  ['one that is digested as it streams, and kept in the spool', message.repeat(33_334)],
] as const) {
  test(`the connection broke after the final dot, ${what}: replayed once, by another proxy, and then delivered`, async (t) => {
    const { mail1, mail2, proxies } = await site(t, { after: () => 'HANG' });
    const [first, second] = proxies;
    assert.ok(first && second);
    await sendAndVanish(first.proxy, ['<ann>', '<cas>', '<ann>'], body, [mail1, mail2]);
    mail1.say('250 2.1.5 first\n250-2.1.5 second\n250 2.1.5 SESSIONID=<x>');
    await until('it is kept', () => first.events.kept === 3);
    mail1.behaviour = new FakeBackend().behaviour;
    await second.unheard.refresh();

    const mta = await Mta.greet(second.proxy.address);
    // Another recipient of the same message, and one more occurrence than was delivered.
    await mta.envelope(['<bob>', '<ann>', '<ann>', '<cas>', '<ann>']);
    const said = await mta.body(body, 5);
    assert.match(said[0] ?? '', /^250 2\.1\.5 <bob> Ok/);
    assert.equal(said[1], '250 2.1.5 first');
    assert.equal(said[2], '250-2.1.5 second\n250 2.1.5 SESSIONID=<x>');
    assert.match(said[3] ?? '', /^250 2\.1\.5 <cas> Ok/);
    assert.match(said[4] ?? '', /^250 2\.1\.5 <ann> Ok/);
    assert.deepEqual([whole(mail1), whole(mail2)], [3, 1], 'bob and the third ann are new; cas is not');
    assert.deepEqual(
      mail1.messages.map(({ rcpts }) => rcpts),
      [['<ann>', '<ann>'], ['<bob>'], ['<ann>']],
    );
    assert.equal(second.events.taken, 3);

    // Once more: now it is delivered, for all that we know.
    await until('nothing is left', async () => {
      await second.unheard.refresh();
      return !second.unheard.mayHave('s@example.org', 'ann');
    });
    assert.match((await mta.send(['<ann>'], body))[0] ?? '', /^250 2\.1\.5 <ann> Ok/);
    assert.equal(whole(mail1), 4);
    assert.deepEqual([first.events.failed, second.events.failed], [0, 0]);
  });
}

test('another message from the same sender to the same recipient is delivered, and the first still replayed', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  await sendAndVanish(first.proxy, ['<ann>'], message, [mail1]);
  mail1.say('250 2.1.5 done');
  await until('it is kept', () => first.events.kept === 1);
  await first.unheard.refresh();
  mail1.behaviour = new FakeBackend().behaviour;
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>'], `${message}.`.slice(0, -1) + 'other\r\n'))[0] ?? '', /<ann> Ok/);
  assert.equal(whole(mail1), 2);
  assert.equal((await mta.send(['<ann>'], message))[0], '250 2.1.5 done');
  assert.equal(whole(mail1), 2);
});

test('a reply that comes after our deadline: the MTA was told 451, and hears the truth when it comes again', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' }, { reply_timeout: 200, late_timeout: 10_000 });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  const said = await mta.send(['<ann>', '<bob>', '<cas>']);
  assert.match(said[0] ?? '', /^451 4\.4\.2 .*no answer to the message in time/);
  assert.match(said[1] ?? '', /^451 4\.4\.2 /);
  assert.match(said[2] ?? '', ok);
  const counts = () => first.proxy.pools.connections().find(({ backend }) => backend === 'mail1');
  assert.deepEqual([counts()?.busy, counts()?.late], [0, 1]);
  // One taken, one not: only what was taken is kept.
  mail1.say('250 2.1.5 late\n452 4.2.2 full');
  await until('it is kept', () => first.events.kept === 1);
  await until('the connection is good for others', () => counts()?.late === 0 && counts()?.idle === 1);
  await first.unheard.refresh();
  mail1.behaviour = new FakeBackend().behaviour;
  const again = await mta.send(['<ann>', '<bob>']);
  assert.equal(again[0], '250 2.1.5 late');
  assert.match(again[1] ?? '', /<bob> Ok/);
  assert.equal(mail1.connections, 1);
});

test('asked to stop, a proxy hears the reply that comes too late for the MTA', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' }, { reply_timeout: 100, late_timeout: 60_000 });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 /);
  await first.proxy.listener.close(60_000);
  const closed = first.proxy.pools.close(60_000);
  mail1.say('250 2.1.5 late');
  await closed;
  await first.unheard.close();
  assert.deepEqual(first.events, { kept: 1, taken: 0, failed: 0 });
});

for (const when of ['before', 'after'] as const) {
  test(`the client leaves ${when} one of two backends has answered: that is kept at once`, async (t) => {
    const { mail1, mail2, proxies } = await site(t, { after: () => 'HANG' }, { reply_timeout: 60_000 });
    mail2.behaviour.after = () => 'HANG';
    const [first] = proxies;
    assert.ok(first);
    const mta = await Mta.greet(first.proxy.address);
    await mta.envelope(['<ann>', '<cas>']);
    mta.socket.write(`${message}.\r\n`);
    await until('both have it', () => whole(mail1) === 1 && whole(mail2) === 1);
    const answer = async (): Promise<void> => {
      mail2.say('250 2.1.5 done');
      await until('it is known', () => first.proxy.delivered.length === 1);
    };
    if (when === 'after') await answer();
    mta.socket.resetAndDestroy();
    await until('its session is over', () => first.proxy.listener.sessions === 0);
    if (when === 'before') await answer();
    await until('it is kept', () => first.events.kept === 1);
    mail1.say('250 2.1.5 done');
    await until('so is the other, and none twice', () => first.events.kept === 2);
    await sleep(100);
    assert.equal(first.events.kept, 2);
  });
}

test('cut off when its grace is over, what one backend has taken is kept while another owes its reply', async (t) => {
  const { mail1, mail2, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  await mta.envelope(['<ann>', '<cas>']);
  mta.socket.write(`${message}.\r\n`);
  await until('both have it', () => [mail1, mail2].every((each) => each.messages.at(-1)?.whole === true));
  await until('one has answered', () => first.proxy.delivered.includes('user.cas at mail2'));
  await first.proxy.listener.close(0);
  await first.proxy.pools.close(0);
  await first.proxy.listener.answered();
  // Its script is not in Redis yet, and so it takes two questions.
  await first.unheard.close();
  assert.deepEqual(first.events, { kept: 1, taken: 0, failed: 0 });
});

test('QUIT that came with the final dot does not show that its client has heard anything', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  await mta.envelope(['<ann>']);
  mta.socket.write(`${message}.\r\nQUIT\r\n`);
  await until('the backend has it', () => mail1.messages.at(-1)?.whole === true);
  // As of a process that was killed: what it had said is still there, and then nobody.
  mta.socket.end();
  await sleep(100);
  mail1.say('250 2.1.5 done');
  await until('it is kept', () => first.events.kept === 1);

  mail1.behaviour = new FakeBackend().behaviour;
  const well = await Mta.greet(first.proxy.address);
  await well.envelope(['<bob>']);
  well.socket.write(`${message}.\r\nQUIT\r\n`);
  assert.match(await well.reply(), /<bob> Ok/);
  assert.match(await well.reply(), /^221 /);
  await until('it is closed', () => well.socket.closed);
  await first.unheard.close();
  assert.equal(first.events.kept, 1);
});

test('a connection that breaks behind QUIT, sent with the final dot: the replies were not heard', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  await mta.envelope(['<ann>']);
  mta.socket.write(`${message}.\r\nQUIT\r\n`);
  await until('the backend has it', () => whole(mail1) === 1);
  mta.socket.pause();
  mail1.say('250 2.1.5 done');
  await until('it was told', () => first.proxy.delivered.length === 1);
  await sleep(100);
  assert.equal(first.events.kept, 0);
  mta.socket.resetAndDestroy();
  await until('it is kept', () => first.events.kept === 1);
});

test('cut off while it was asked what is remembered: what was taken out is put back', async (t) => {
  const mail1 = await new FakeBackend().listen();
  t.after(() => mail1.close());
  const kept: string[] = [];
  const asked = Promise.withResolvers<undefined>();
  const answer = Promise.withResolvers<string>();
  const unheard: UnheardStore = {
    key: Buffer.alloc(16),
    mayHave: () => true,
    keep: (_sender, _recipient, _digest, text) => kept.push(text),
    take: () => {
      asked.resolve(undefined);
      return answer.promise;
    },
  };
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, unheard });
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(['<ann>']);
  mta.socket.write(`${message}.\r\n`);
  await asked.promise;
  await proxy.listener.close(0);
  await proxy.pools.close(0);
  const answered = proxy.listener.answered();
  answer.resolve('250 2.1.5 before');
  await answered;
  assert.deepEqual(kept, ['250 2.1.5 before']);
  assert.equal(mail1.messages.length, 0);
});

test('told 421 behind its replies, a client has no turn to show that it has heard them', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  const [gone, well] = [await Mta.greet(first.proxy.address), await Mta.greet(first.proxy.address)];
  for (const [mta, rcpt] of [
    [gone, '<ann>'],
    [well, '<bob>'],
  ] as const) {
    await mta.envelope([rcpt]);
    mta.socket.write(`${message}.\r\n`);
  }
  await until('the backend has both', () => whole(mail1) === 2);
  gone.socket.pause();
  const closed = first.proxy.listener.close(60_000);
  mail1.say('250 2.1.5 done');
  assert.equal(await well.reply(), '250 2.1.5 done');
  assert.match(await well.reply(), /^421 /);
  await until('it was told', () => first.proxy.delivered.length === 2);
  await sleep(100);
  gone.socket.resetAndDestroy();
  await closed;
  await first.unheard.close();
  assert.deepEqual(first.events, { kept: 2, taken: 0, failed: 0 });
});

test('an idle client that is told 421 has heard what came before, if it hangs up properly', async (t) => {
  const { proxies } = await site(t);
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  const closed = first.proxy.listener.close(60_000);
  assert.match(await mta.reply(), /^421 /);
  await closed;
  await first.unheard.close();
  assert.equal(first.events.kept, 0);
});

test('a late refusal, or none at all, is delivered again', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' }, { reply_timeout: 100, late_timeout: 200 });
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 /);
  await until('it is given up', () => mail1.open === 0);
  mail1.behaviour = new FakeBackend().behaviour;
  assert.match((await mta.send(['<ann>']))[0] ?? '', /<ann> Ok/);
  assert.deepEqual(first.events, { kept: 0, taken: 0, failed: 0 });
});

test('nothing is written, and nothing asked, for messages that go well', async (t) => {
  const { proxies } = await site(t);
  const [first] = proxies;
  assert.ok(first);
  const mta = await Mta.greet(first.proxy.address);
  for (let count = 0; count < 20; count++) assert.match((await mta.send(['<ann>', '<cas>']))[0] ?? '', ok);
  await mta.quit();
  assert.deepEqual(first.events, { kept: 0, taken: 0, failed: 0 });
  assert.deepEqual(await redisSays(redis.socket, 'KEYS *'), ['*1', '$21', 'rookery:{unheard}:key']);
});

test('without Redis messages go their way, twice if need be', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  await sendAndVanish(first.proxy, ['<ann>'], message, [mail1]);
  await redis.kill9();
  mail1.say('250 2.1.5 done');
  await until('the backend has said so', () => first.proxy.delivered.length === 1);
  await sleep(100);
  await first.unheard.close();
  assert.deepEqual(first.events, { kept: 0, taken: 0, failed: 1 });
  mail1.behaviour = new FakeBackend().behaviour;
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(whole(mail1), 2);
});

test('Redis away for a moment: what is to be kept is kept when it is back, and once', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  await sendAndVanish(first.proxy, ['<ann>'], message, [mail1]);
  await redis.kill9();
  mail1.say('250 2.1.5 done');
  await until('the backend has said so', () => first.proxy.delivered.length === 1);
  await redis.restart();
  await until('it is kept', () => first.events.kept === 1, 30_000);
  await until('it is known', () => first.unheard.mayHave('s@example.org', 'ann'));
  mail1.behaviour = new FakeBackend().behaviour;
  const mta = await Mta.greet(first.proxy.address);
  assert.equal((await mta.send(['<ann>']))[0], '250 2.1.5 done');
  assert.match((await mta.send(['<ann>']))[0] ?? '', /<ann> Ok/);
});

test('a process that is stopped while it has a reply kept keeps it once when it goes on', async (t) => {
  const { replies, events, close } = openUnheard(redis.socket);
  t.after(close);
  await until('Redis is reached', () => replies.key !== undefined);
  // Before the timers' turn: when it goes on they come before what was answered meanwhile.
  await new Promise(setImmediate);
  replies.keep('s@example.org', 'ann', 'digest', '250 2.1.5 Ok');
  // Longer than an answer may take.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
  await until('it is kept', () => events.kept === 1, 30_000);
  assert.equal(await replies.take('s@example.org', 'ann', 'digest'), '250 2.1.5 Ok');
  assert.equal(await replies.take('s@example.org', 'ann', 'digest'), undefined);
});

test('Redis gone when the MTA comes again: what may have been delivered is delivered', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  await sendAndVanish(first.proxy, ['<ann>'], message, [mail1]);
  mail1.say('250 2.1.5 done');
  await until('it is kept', () => first.events.kept === 1);
  await first.unheard.refresh();
  await redis.kill9();
  mail1.behaviour = new FakeBackend().behaviour;
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /<ann> Ok/);
  assert.equal(first.events.failed >= 1, true);
});

test('a message that comes to nothing while it is held comes to nothing', async (t) => {
  const { mail1, proxies } = await site(t, { after: () => 'HANG' });
  const [first] = proxies;
  assert.ok(first);
  await sendAndVanish(first.proxy, ['<ann>'], message, [mail1]);
  mail1.say('250 2.1.5 done');
  await until('it is kept', () => first.events.kept === 1);
  await first.unheard.refresh();
  mail1.behaviour = new FakeBackend().behaviour;
  const lost = await Mta.greet(first.proxy.address);
  await lost.envelope(['<ann>']);
  lost.socket.write(message.repeat(33_334));
  await until('it is in the spool', () => first.proxy.spool.used > 0);
  lost.socket.destroy();
  await until('nothing is held', () => first.proxy.spool.used === 0 && first.proxy.memory.held === 0);
  assert.equal(mail1.messages.length, 1);
  assert.equal((await (await Mta.greet(first.proxy.address)).send(['<ann>']))[0], '250 2.1.5 done');
});

test('a process that was stopped for a while asks before it believes its memory', async (t) => {
  const { proxies } = await site(t);
  const [first] = proxies;
  assert.ok(first);
  assert.equal(first.unheard.mayHave('s@example.org', 'ann'), false);
  // As stopped: nothing of it runs.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  assert.equal(first.unheard.mayHave('s@example.org', 'ann'), true);
  const mta = await Mta.greet(first.proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  await until('it has read what others wrote', () => !first.unheard.mayHave('s@example.org', 'ann'));
});

test('a process that has just started knows at once what others have kept', async (t) => {
  const { replies, events, close } = openUnheard(redis.socket);
  t.after(close);
  await until('Redis is reached', () => replies.key !== undefined);
  replies.keep('s@example.org', 'ann', 'digest', '250 2.1.5 Ok');
  await until('it is kept', () => events.kept === 1);
  const started = await openForProcess({
    config: { redis: { url: redis.socket }, lmtp: { remember_for: 3600 } },
    metrics: { count: () => undefined },
    outages: { of: () => ({ onError: () => undefined }) },
  } as unknown as Parameters<typeof openForProcess>[0]);
  t.after(() => started.close());
  assert.equal(started.replies.mayHave('s@example.org', 'ann'), true);
  assert.ok(started.replies.key);
});
