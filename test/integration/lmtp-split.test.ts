// A message split over backends, each recipient with a fate of its own, as Cyrus' proxy does it (its worked example), in parallel.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

async function backend(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<FakeBackend> {
  const fake = await new FakeBackend(behaviour).listen();
  t.after(() => fake.close());
  return fake;
}

async function nowhere(): Promise<{ host: string; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return { host: '127.0.0.1', port };
}

const users = { ann: 'b1', bob: 'b2', carl: 'b1', dee: 'b1', eve: 'b3' };
const rcpts = ['<ann>', '<bob>', '<carl>', '<dee>', '<eve>'];

test('ann, bob, carl over quota, dee reserved, eve on a backend that is down', async (t) => {
  const quota = (verb: string, line: string) =>
    verb === 'RCPT' && line.includes('carl') ? '452 4.2.2 Over quota SESSIONID=<b1>' : undefined;
  const b1 = await backend(t, { command: quota });
  const b2 = await backend(t);
  const proxy = await runProxy(t, { backends: { b1, b2, b3: await nowhere() }, users });
  proxy.rows.set('user.dee', { name: 'user.dee', state: 'created', location: 'b1!default', acl: '', version: 1 });
  const mta = await Mta.greet(proxy.address);
  // The quota of a user elsewhere is not known at RCPT; nor is it that his server is down.
  assert.deepEqual(
    (await mta.envelope(rcpts)).map((said) => said.slice(0, 9)),
    ['250 2.1.5', '250 2.1.5', '250 2.1.5', '451 4.2.1', '250 2.1.5'],
  );
  const said = await mta.body('x\r\n', 4);
  assert.deepEqual(
    said.map((each) => each.slice(0, 9)),
    ['250 2.1.5', '250 2.1.5', '452 4.2.2', '451 4.4.3'],
  );
  assert.equal(said[2], '452 4.2.2 Over quota SESSIONID=<b1>');
  // In the order of the RCPTs, where Cyrus turns it round.
  assert.deepEqual(b1.lines.slice(-4), ['MAIL FROM:<s@example.org>', 'RCPT TO:<ann>', 'RCPT TO:<carl>', 'DATA']);
  assert.deepEqual([b1.messages.length, b2.messages.length], [1, 1]);
});

test('a backend closes after the final dot: what became of it there is not known, and the MTA tries again', async (t) => {
  const b1 = await backend(t);
  const b2 = await backend(t, { after: () => 'CLOSE' });
  const proxy = await runProxy(t, { backends: { b1, b2 }, users });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.send(['<ann>', '<bob>', '<carl>']);
  assert.deepEqual(
    said.map((each) => each.slice(0, 9)),
    ['250 2.1.5', '451 4.4.2', '250 2.1.5'],
  );
});

test('all backends at once: each is told before any has answered', async (t) => {
  const backends = await Promise.all(Array.from({ length: 4 }, () => backend(t, { after: () => 'HANG' })));
  const proxy = await runProxy(t, {
    backends: Object.fromEntries(backends.map((each, at) => [`b${at}`, each])),
    users: { u0: 'b0', u1: 'b1', u2: 'b2', u3: 'b3' },
    settings: { reply_timeout: 10_000 },
  });
  const mta = await Mta.greet(proxy.address);
  const said = mta.send(['<u0>', '<u1>', '<u2>', '<u3>']);
  await until('all have the message', () => backends.every((each) => each.messages[0]?.whole === true));
  for (const [at, each] of backends.entries()) each.say(`250 2.1.5 from ${at}`);
  assert.deepEqual(await said, ['250 2.1.5 from 0', '250 2.1.5 from 1', '250 2.1.5 from 2', '250 2.1.5 from 3']);
});

test('a backend that does not know a mailbox, at RCPT or after the dot: put off, and somebody looks into it', async (t) => {
  const unknown = '550-Mailbox unknown.\n550 5.1.1 User unknown';
  const b1 = await backend(t, {
    command: (verb, line) => (verb === 'RCPT' && line.includes('ann') ? unknown : undefined),
    after: (to) => to.map((each) => (each.includes('carl') ? unknown : '250 2.1.5 ok')).join('\n'),
  });
  const b2 = await backend(t, { after: () => '550 5.7.1 not here' });
  const proxy = await runProxy(t, { backends: { b1, b2 }, users });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.send(['<ann>', '<bob>', '<carl>', '<dee>']);
  assert.match(said[0] ?? '', /^451 4\.2\.1 Mailbox is not where the directory says, on b1: 550 5\.1\.1 /);
  assert.equal(said[1], '550 5.7.1 not here');
  assert.match(said[2] ?? '', /^451 4\.2\.1 /);
  assert.match(said[3] ?? '', /^250 /);
  assert.deepEqual(proxy.contradictions, [
    ['user.ann', 'b1'],
    ['user.carl', 'b1'],
  ]);
});
