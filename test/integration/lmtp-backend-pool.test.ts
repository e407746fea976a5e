// Connections to backends: how many, to which address, who waits, when a backend is not tried any more, and the operator's word.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Address } from '../../services/backends/registry.ts';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy, type ProxyRun } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

async function backend(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<FakeBackend> {
  const fake = await new FakeBackend(behaviour).listen();
  t.after(() => fake.close());
  return fake;
}

/** An address where nobody listens. */
async function nowhere(): Promise<Address> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return { host: '127.0.0.1', port };
}

function breakerOf(proxy: ProxyRun): string | undefined {
  return proxy.pools.states()[0]?.breaker;
}

const ok = /^250 2\.1\.5 /;

test('a backend that is away is tried so many times, and then left alone until a probe finds it', async (t) => {
  const mail1 = await backend(t, { greeting: 'CLOSE' });
  const proxy = await runProxy(t, {
    backends: { mail1 },
    users: { ann: 'mail1' },
    settings: { breaker_failures: 3, breaker_pause: 200 },
  });
  const mta = await Mta.greet(proxy.address);
  for (let count = 0; count < 3; count++) assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 .*closed$/);
  assert.equal(breakerOf(proxy), 'open');
  assert.match(proxy.pools.troubles() ?? '', /^mail1 away, 3 failures in a row, last: .*connection closed$/);
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 .*3 failures in a row, .*connection closed$/);
  assert.equal(mail1.connections, 3);

  // Nobody sends, and it is asked all the same: one probe at a time.
  await until('it is probed, and probed again', () => mail1.connections >= 5);
  mail1.behaviour.greeting = '220 back';
  await until('the breaker is closed', () => breakerOf(proxy) === 'closed');
  assert.equal(proxy.pools.troubles(), undefined);
  assert.equal(proxy.pools.connections()[0]?.idle, 1);
  const { connections } = mail1;
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(mail1.connections, connections, 'the probe is the connection');
});

test('one probe at a time: whoever comes meanwhile is put off at once', async (t) => {
  const mail1 = await backend(t, { greeting: 'CLOSE' });
  const proxy = await runProxy(t, {
    backends: { mail1 },
    users: { ann: 'mail1' },
    settings: { breaker_failures: 1, breaker_pause: 100, connect_timeout: 3000 },
  });
  const mta = await Mta.greet(proxy.address);
  await mta.send(['<ann>']);
  mail1.behaviour.greeting = 'HANG';
  await until('it is probed', () => breakerOf(proxy) === 'half-open');
  const before = mail1.connections;
  for (let count = 0; count < 5; count++) assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 /);
  assert.ok(mail1.connections <= before + 1);
});

test('"too many connections" while some work is no sign that it is away', async (t) => {
  const mail1 = await backend(t, { after: () => 'HANG' });
  const proxy = await runProxy(t, {
    backends: { mail1 },
    users: { ann: 'mail1' },
    settings: { breaker_failures: 1, reply_timeout: 3000 },
  });
  const [one, other] = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  const first = one.send(['<ann>']);
  await until('it is there', () => mail1.messages[0]?.whole === true);
  mail1.behaviour.greeting = '421 4.3.2 too many';
  assert.match((await other.send(['<ann>']))[0] ?? '', /^451 4\.4\.3 .*421 4\.3\.2 too many$/);
  assert.equal(breakerOf(proxy), 'closed');
  await first;
});

test('so many messages wait, and the next is put off at once', async (t) => {
  const mail1 = await backend(t, { after: () => 'HANG' });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { mail1, good },
    users: { ann: 'mail1', bob: 'good' },
    ...{ connections: 1, waiting: 2 },
    settings: { wait_timeout: 3000, reply_timeout: 3000 },
  });
  const mtas = await Promise.all([1, 2, 3].map(() => Mta.greet(proxy.address)));
  const sent = mtas.map((mta) => mta.send(['<ann>']));
  const mail1Counts = () => proxy.pools.connections().find((one) => one.backend === 'mail1');
  await until('one works, two wait', () => mail1Counts()?.waiting === 2 && mail1Counts()?.busy === 1);
  const late = await Mta.greet(proxy.address);
  const said = await late.send(['<ann>', '<bob>']);
  assert.match(said[0] ?? '', /^451 4\.4\.5 Too many messages wait/);
  assert.match(said[1] ?? '', ok);
  await Promise.all(sent);
});

test('several addresses: the first that answers, and what failed lately is not tried first', async (t) => {
  const [second, third] = [await backend(t), await backend(t)];
  const first = await nowhere();
  const proxy = await runProxy(t, {
    backends: { mail1: [first, second.address, third.address] },
    users: { ann: 'mail1' },
    settings: { failback_after: 60_000 },
  });
  const mta = await Mta.greet(proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.deepEqual([second.messages.length, third.messages.length], [1, 0]);
  // The second goes away: the third takes over, without anybody being put off.
  await second.close();
  await until('its connection is forgotten', () => proxy.pools.connections()[0]?.idle === 0);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(third.messages.length, 1);
  assert.equal(breakerOf(proxy), 'closed');
});

test('an address that failed is tried in its turn again after a while', async (t) => {
  const place = await nowhere();
  const spare = await backend(t);
  const proxy = await runProxy(t, {
    backends: { mail1: [place, spare.address] },
    users: { ann: 'mail1' },
    settings: { failback_after: 50 },
  });
  const mta = await Mta.greet(proxy.address);
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  const preferred = new FakeBackend();
  t.after(() => preferred.close());
  await preferred.listen(place);
  // The connection to the spare is never idle for long, and yet nobody stays there.
  await until('it has its place again', async () => {
    assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
    return preferred.messages.length > 0;
  });
  const atSpare = spare.messages.length;
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(spare.messages.length, atSpare);
});

test('a connection that was unused for a while is asked first, and a dead one costs nobody anything', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, {
    backends: { mail1 },
    users: { ann: 'mail1' },
    settings: { check_after: 1, connect_timeout: 300 },
  });
  const mta = await Mta.greet(proxy.address);
  await mta.send(['<ann>']);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await mta.send(['<ann>']);
  assert.equal(mail1.lines.filter((line) => line === 'NOOP').length, 1);
  assert.equal(mail1.connections, 1);
  // As behind a firewall that has forgotten the connection: nothing comes back.
  mail1.behaviour.command = (verb, _line, connection) => (verb === 'NOOP' && connection === 1 ? 'HANG' : undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(mail1.connections, 2);
});

test('a fence is obeyed at once: at RCPT, and for what was accepted before it', async (t) => {
  const [mail1, mail2] = [await backend(t), await backend(t)];
  const proxy = await runProxy(t, { backends: { mail1, mail2 }, users: { ann: 'mail1', bob: 'mail2' } });
  const mta = await Mta.greet(proxy.address);
  await mta.say('MAIL FROM:<>');
  assert.match(await mta.say('RCPT TO:<ann>'), /^250/);
  assert.match(await mta.say('RCPT TO:<bob>'), /^250/);
  const fence = { reason: 'test', by: 'test', since: 1 };
  proxy.registry.hear(new Map([['mail1', { stage: 'active', fence, by: 'test', at: 1 }]]));
  assert.match(await mta.say('RCPT TO:<ann>'), /^451 4\.2\.1 Nothing is delivered to mail1 for now$/);
  await mta.say('DATA');
  const said = await mta.body('x\r\n', 2);
  assert.match(said[0] ?? '', /^451 4\.2\.1 Nothing is delivered to mail1/);
  assert.match(said[1] ?? '', ok);
  assert.deepEqual(mail1.connections, 0);
  assert.equal(proxy.pools.troubles(), 'mail1 fenced');
  proxy.registry.hear(new Map([['mail1', { stage: 'active', by: 'test', at: 2 }]]));
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
});

test('a fence is obeyed by what waits for a connection, too', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, connections: 1 });
  const [first, second] = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  await first.envelope(['<ann>']);
  await until('the first has the connection', () => mail1.lines.includes('DATA'));
  await second.envelope(['<ann>']);
  await until('the second waits', () => proxy.pools.connections()[0]?.waiting === 1);
  const fence = { by: 'test', reason: '', since: 1 };
  proxy.registry.hear(new Map([['mail1', { stage: 'active', fence, by: 'test', at: 1 }]]));
  assert.match((await first.body('x\r\n', 1))[0] ?? '', ok);
  assert.match((await second.body('x\r\n', 1))[0] ?? '', /^451 4\.2\.1 Nothing is delivered to mail1 for now$/);
  assert.equal(mail1.messages.length, 1);
  // Its connection is free for the time after.
  proxy.registry.hear(new Map([['mail1', { stage: 'active', by: 'test', at: 2 }]]));
  assert.match((await second.send(['<ann>']))[0] ?? '', ok);
});

test('MTAs that take their time over a message give way to those who wait', async (t) => {
  const mail1 = await backend(t);
  const settings = { wait_timeout: 60_000, reply_timeout: 60_000, stall_timeout: 60_000 };
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, connections: 2, settings });
  const slow = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  for (const mta of slow) await mta.envelope(['<ann>']);
  const dribble = setInterval(() => {
    for (const mta of slow) mta.socket.write('x');
  }, 50);
  t.after(() => {
    clearInterval(dribble);
  });
  const other = await Mta.greet(proxy.address);
  assert.match((await other.send(['<ann>']))[0] ?? '', ok);
  assert.equal(mail1.messages.filter(({ whole }) => whole).length, 1);
  // One has given way, and hears it where it expects it; the other goes on.
  clearInterval(dribble);
  const told = await Promise.all(slow.map((mta) => mta.body('\r\n', 1)));
  assert.deepEqual(
    told
      .flat()
      .map((reply) => reply.slice(0, 9))
      .sort(),
    ['250 2.1.5', '451 4.4.5'],
  );
});

test('a refused message is cleared before the next: Cyrus keeps the transaction of one that is too big', async (t) => {
  let taken = 0;
  const mail1 = await backend(t, { after: () => (taken++ === 0 ? '552 5.2.3 Too big' : '250 2.1.5 ok') });
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  assert.equal((await mta.send(['<ann>']))[0], '552 5.2.3 Too big');
  assert.match((await mta.send(['<ann>']))[0] ?? '', ok);
  assert.equal(mail1.connections, 1);
  assert.deepEqual(
    mail1.lines.filter((line) => /^(?:MAIL|RSET)/.test(line)).map((line) => line.slice(0, 4)),
    ['MAIL', 'RSET', 'MAIL'],
  );
});

test('a drained backend still gets its mail', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  proxy.registry.hear(new Map([['mail1', { stage: 'draining', by: 'test', at: 1 }]]));
  assert.deepEqual(proxy.registry.standing('mail1'), { stage: 'draining', fenced: false });
  assert.match((await (await Mta.greet(proxy.address)).send(['<ann>']))[0] ?? '', ok);
});

test('another address in the registry: the next message goes there, what is under way is not cut', async (t) => {
  const [old, other] = [await backend(t, { after: () => 'HANG' }), await backend(t)];
  const proxy = await runProxy(t, {
    backends: { mail1: old },
    users: { ann: 'mail1' },
    settings: { reply_timeout: 5000 },
  });
  const [one, two] = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  await one.envelope(['<ann>']);
  const first = one.body('first\r\n', 1);
  await until('it is there', () => old.messages[0]?.whole === true);
  const [mail1] = proxy.registry.all();
  assert.ok(mail1?.lmtp);
  proxy.registry.replace([{ ...mail1, lmtp: { ...mail1.lmtp, addresses: [other.address] } }]);
  assert.match((await two.send(['<ann>']))[0] ?? '', ok);
  assert.equal(other.messages.length, 1);
  old.say('250 2.1.5 at last');
  assert.equal((await first)[0], '250 2.1.5 at last');
  await until('the old connections are closed', () => old.open === 0);
  proxy.registry.replace([]);
  await two.say('MAIL FROM:<>');
  assert.match(await two.say('RCPT TO:<ann>'), /^451 4\.4\.3 No delivery from here to mail1/);
});
