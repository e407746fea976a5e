// Backends that do wrong in every way there is: each costs its own recipients, for a bounded time, and nobody else.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

async function backend(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<FakeBackend> {
  const fake = await new FakeBackend(behaviour).listen();
  t.after(() => fake.close());
  return fake;
}

/** The usual conversation, but for one verb. */
function at(verb: string, say: string): Partial<Behaviour> {
  return { command: (got) => (got === verb ? say : undefined) };
}

const unknown = '550-Mailbox unknown.  Either there is no mailbox\n550 5.1.1 User unknown';
const line = 'x'.repeat(98) + '\r\n';
/** A body that does not fit into all the buffers on the way, those of the system included. */
const huge = Buffer.alloc(12_000_000, line);
const big = Buffer.alloc(500_000, line);

/** What the backend does, and what its two recipients are told. */
const faults: [string, Partial<Behaviour>, RegExp, RegExp?][] = [
  ['never greets', { greeting: 'HANG' }, /^451 4\.4\.3 .*no answer in time$/],
  ['closes instead of a greeting', { greeting: 'CLOSE' }, /^451 4\.4\.3 .*connection closed$/],
  ['greets with 554', { greeting: '554 5.7.1 go away' }, /^451 4\.4\.3 .*: 554 5\.7\.1 go away$/],
  ['greets with 421', { greeting: '421 4.3.2 too many' }, /^451 4\.4\.3 .*421 4\.3\.2 too many$/],
  ['greets with nonsense', { greeting: 'hello' }, /^451 4\.4\.3 /],
  ['greets without an end', { greeting: 'x'.repeat(200_000) }, /^451 4\.4\.3 /],
  ['refuses LHLO', at('LHLO', '500 5.5.1 EHLO please'), /^451 4\.4\.3 .*500 5\.5\.1 EHLO please$/],
  ['answers LHLO without an end', at('LHLO', '250-a\n'.repeat(30_000) + '250-b'), /^451 4\.4\.3 /],
  ['never answers LHLO', at('LHLO', 'HANG'), /^451 4\.4\.3 .*no answer in time$/],
  ['refuses MAIL for good', at('MAIL', '550 5.7.1 not you'), /^451 4\.4\.3 .*550 5\.7\.1 not you$/],
  ['wants authentication', at('MAIL', '530 5.7.0 Authentication required'), /^451 4\.4\.3 /],
  ['finds the message too big at MAIL', at('MAIL', '552 5.3.4 too big'), /^552 5\.3\.4 too big$/],
  ['never answers MAIL', at('MAIL', 'HANG'), /^451 4\.4\.2 .*no answer to MAIL/],
  ['closes at MAIL', at('MAIL', 'CLOSE'), /^451 4\.4\.2 .*connection lost$/],
  ['answers MAIL with 421', at('MAIL', '421 4.3.2 closing'), /^451 4\.4\.3 .*421 4\.3\.2 closing$/],
  ['answers MAIL with 354', at('MAIL', '354 go'), /^451 4\.4\.2 /],
  ['knows no such user', at('RCPT', unknown), /^451 4\.2\.1 .*550 5\.1\.1 .*User unknown$/],
  ['is over quota', at('RCPT', '452 4.2.2 Over quota SESSIONID=<a>'), /^452 4\.2\.2 Over quota SESSIONID=<a>$/],
  ['permits no post', at('RCPT', '550-no\n550 5.7.1 Permission denied'), /^550-no\n550 5\.7\.1 Permission denied$/],
  [
    'takes one of two',
    { command: (_, line) => (line === 'RCPT TO:<bob>' ? '550 5.7.1 no' : undefined) },
    /^250 /,
    /^550 5\.7\.1 no$/,
  ],
  ['closes at RCPT', at('RCPT', 'CLOSE'), /^451 4\.4\.2 /],
  [
    'refuses DATA',
    at('DATA', '451 4.3.1 cannot create temporary file'),
    /^451 4\.4\.3 .*cannot create temporary file$/,
  ],
  ['refuses DATA for good', at('DATA', '554 5.5.1 no'), /^451 4\.4\.3 .*554 5\.5\.1 no$/],
  ['never answers DATA', at('DATA', 'HANG'), /^451 4\.4\.2 /],
  ['closes at DATA', at('DATA', 'CLOSE'), /^451 4\.4\.2 /],
  [
    'sends 354 after refusing all',
    { command: (verb) => (verb === 'RCPT' ? '550 5.7.1 no' : verb === 'DATA' ? '354 go' : undefined) },
    /^550 5\.7\.1 no$/,
  ],
  ['closes in the message', { inMessage: { bytes: 100_000, say: 'CLOSE' } }, /^451 4\.4\.2 .*connection lost$/],
  ['stops reading the message', { inMessage: { bytes: 100_000, say: 'STOP READING' } }, /^451 4\.4\.2 .*takes no more/],
  [
    'says 421 in the message',
    { inMessage: { bytes: 100_000, say: '421 4.3.2 closing' } },
    /^451 4\.4\.3 .*421 4\.3\.2 closing$/,
  ],
  [
    'says 250 before the message has ended',
    { inMessage: { bytes: 100_000, say: '250 2.0.0 ok\n250 2.0.0 ok' } },
    /^451 4\.4\.2 .*before the end/,
  ],
  ['says nonsense in the message', { inMessage: { bytes: 100_000, say: 'what?' } }, /^451 4\.4\.2 .*nonsense$/],
  ['dribbles its greeting', { greeting: 'DRIBBLE' }, /^451 4\.4\.3 .*no answer in time$/],
  ['dribbles its answer to MAIL', at('MAIL', 'DRIBBLE'), /^451 4\.4\.2 /],
  ['dribbles its answer to the dot', { after: () => 'DRIBBLE' }, /^451 4\.4\.2 .*no answer to the message/],
  [
    'answers one of two and closes',
    { after: () => '250 2.1.5 first\nCLOSE' },
    /^250 2\.1\.5 first$/,
    /^451 4\.4\.2 .*connection lost$/,
  ],
  [
    'answers three times for two',
    { after: () => '250 2.1.5 first\n452 4.2.2 second\n250 2.1.5 third' },
    /^250 2\.1\.5 first$/,
    /^452 4\.2\.2 second$/,
  ],
  [
    'refuses for good, one for each',
    { after: () => '550 5.7.1 sieve\n552 5.2.2 full' },
    /^550 5\.7\.1 sieve$/,
    /^552 5\.2\.2 full$/,
  ],
  ['never answers the final dot', { after: () => 'HANG' }, /^451 4\.4\.2 .*no answer to the message/],
  ['closes after the final dot', { after: () => 'CLOSE' }, /^451 4\.4\.2 .*connection lost$/],
  ['answers nonsense after the dot', { after: () => 'thanks' }, /^451 4\.4\.2 .*nonsense$/],
  ['says good-bye after the dot', { after: () => '221 2.0.0 bye\n220 hello' }, /^451 4\.4\.2 .*out of step$/],
  ['greets again at RCPT', at('RCPT', '220 hello'), /^451 4\.4\.2 .*out of step$/],
  ['answers 354 after the dot', { after: () => '354 more' }, /^451 4\.4\.2 .*out of step$/],
  [
    'answers one of two and falls silent',
    { after: () => '250 2.1.5 first' },
    /^250 2\.1\.5 first$/,
    /^451 4\.4\.2 .*no answer/,
  ],
  [
    'answers one of two and says 421',
    { after: () => '250 2.1.5 first\n421 4.3.2 closing' },
    /^250 /,
    /^451 4\.4\.3 .*closing$/,
  ],
  [
    'knows no such user after the dot',
    { after: () => `${unknown}\n452 4.2.2 full` },
    /^451 4\.2\.1 /,
    /^452 4\.2\.2 full$/,
  ],
  [
    'refuses the content',
    { after: () => '554 5.6.0 Message contains NUL characters\n250 2.1.5 ok' },
    /^554 5\.6\.0 Message/,
    /^250 /,
  ],
  [
    'answers in several lines',
    { after: () => '550-one\n550-two\n550 5.7.1 three\n250 2.1.5 ok' },
    /^550-one\n550-two\n550 5\.7\.1 three$/,
    /^250/,
  ],
  [
    'refuses in many lines, with a code of its own',
    { after: () => `${'571-5.7.1 line\n'.repeat(200)}571 5.7.1 last\n250 2.1.5 ok` },
    /^(?:571-5\.7\.1 line\n){200}571 5\.7\.1 last$/,
    /^250 /,
  ],
  [
    'says once for all that the message is larger than it announced',
    { keywords: ['PIPELINING', 'SIZE 100'], after: () => '552 5.2.3 Message size (200) exceeds fixed maximum' },
    /^552 5\.2\.3 Message size \(200\)/,
  ],
  [
    'says of one, within the size that it announced, that the mailbox takes no such message',
    { keywords: ['PIPELINING', 'SIZE 1000'], after: () => '552 5.2.3 larger than its owner wants\n250 2.1.5 ok' },
    /^552 5\.2\.3 larger/,
    /^250 /,
  ],
  [
    'has an I/O error',
    { after: () => '451 4.3.0 System I/O error\n451' },
    /^451 4\.3\.0 System I\/O error$/,
    /^451 4\.0\.0$/,
  ],
];

describe('one bad backend, one good one', { concurrency: 8 }, () => {
  for (const [what, behaviour, first, second = first] of faults) {
    test(`a backend that ${what}`, async (t) => {
      const [bad, good] = [await backend(t, behaviour), await backend(t)];
      const proxy = await runProxy(t, { backends: { bad, good }, users: { ann: 'bad', bob: 'bad', cas: 'good' } });
      const mta = await Mta.greet(proxy.address);
      const say = behaviour.inMessage?.say;
      const body = say === undefined ? Buffer.from('Subject: x\r\n\r\n') : say === 'STOP READING' ? huge : big;
      await mta.envelope(['<cas>', '<ann>', '<bob>', '<cas>']);
      mta.socket.write(body);
      // What a backend does in the message is done before the message ends, but for one that does nothing any more.
      if (body === big) await until('the bad one is cut off', () => bad.messages.length === 1 && bad.open === 0);
      const said = await mta.body('', 4);
      assert.match(said[0] ?? '', /^250 2\.1\.5 <cas>/);
      assert.match(said[1] ?? '', first);
      assert.match(said[2] ?? '', second);
      assert.match(said[3] ?? '', /^250 2\.1\.5 <cas>/);
      // Whole and unchanged for those who had nothing to do with it.
      const raw = good.messages[0]?.raw ?? '';
      assert.equal(raw.slice(raw.indexOf('+0000\r\n') + 7) === body.toString('latin1'), true);
      assert.deepEqual(proxy.outcomes.length, 4);
      // The next message goes its way, also through the one that did wrong.
      bad.behaviour = new FakeBackend().behaviour;
      const next = await mta.send(['<ann>', '<cas>']);
      assert.deepEqual(
        next.map((reply) => reply.slice(0, 3)),
        ['250', '250'],
      );
      await until('all connections are free', () => proxy.pools.connections().every(({ busy }) => busy === 0));
    });
  }
});

test('a backend that is not there, or whose host has no name', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  const proxy = await runProxy(t, {
    backends: {
      gone: { host: '127.0.0.1', port },
      nameless: { host: 'no-such-host.invalid', port: 24 },
      nowhere: { path: '/no/such/socket' },
    },
    users: { ann: 'gone', bob: 'nameless', cas: 'nowhere' },
    settings: { connect_timeout: 3000 },
  });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.send(['<ann>', '<bob>', '<cas>']);
  assert.equal(said[0], '451 4.4.3 Backend gone is not available: connection refused');
  assert.match(said[1] ?? '', /^451 4\.4\.3 Backend nameless is not available: /);
  assert.equal(said[2], '451 4.4.3 Backend nowhere is not available: no such socket');
});

test('an MTA lost in the message: the backend never sees the final dot, and its connection is cut', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  for (const end of ['destroy', 'end'] as const) {
    const mta = await Mta.greet(proxy.address);
    await mta.envelope(['<ann>']);
    mta.socket.write('half a message\r\n.\r');
    await until('it is on its way', () => mail1.messages.at(-1)?.raw.includes('half a message') === true);
    mta.socket[end]();
    await until('the backend is cut off', () => mail1.open === 0);
    assert.equal(mail1.messages.at(-1)?.whole, false);
    assert.deepEqual([proxy.outcomes.at(-1)?.outcome, proxy.outcomes.at(-1)?.reason], ['deferred', 'client lost']);
  }
});

test('a message that may not be whole ends nowhere: too big, or with an ambiguous end', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, listening: { size_limit: 100_000 } });
  const mta = await Mta.greet(proxy.address);
  const cases: [string, RegExp][] = [
    ['x'.repeat(60_000) + '\r\n' + 'y'.repeat(60_000) + '\r\n', /^552 5\.3\.4 /],
    ['x\r\n\n.\r\nMAIL FROM:<evil>\r\nRCPT TO:<ann>\r\nDATA\r\nevil\r\n', /^554 5\.6\.0 /],
    ['x'.repeat(70_000) + '\n.\nQUIT\r\n', /^554 5\.6\.0 /],
    ['x\r\n' + 'y'.repeat(8189) + '.\r\nQUIT\r\n', /^554 5\.6\.0 /],
    ['y'.repeat(90_000) + '\r\r.\r\r\nQUIT\r\n', /^554 5\.6\.0 /],
  ];
  for (const [body, told] of cases) {
    await mta.envelope(['<ann>', '<ann>']);
    const said = await mta.body(body, 2);
    assert.match(said[0] ?? '', told);
    assert.match(said[1] ?? '', told);
    // Cut off in the message; or, if it was not told of it yet, left alone.
    await until('nothing is under way', () => mail1.open === (proxy.pools.connections()[0]?.idle ?? -1));
    assert.equal(
      mail1.messages.some((message) => message.whole),
      false,
    );
    assert.doesNotMatch(mail1.messages.at(-1)?.raw ?? '', /\n\.\r?\n/);
    assert.equal(proxy.outcomes.at(-1)?.outcome, 'rejected');
  }
  assert.match((await mta.send(['<ann>'], 'x'.repeat(99_998) + '\r\n'))[0] ?? '', /^250/);
});

test('an MTA lost while a backend is still being reached', async (t) => {
  const mail1 = await backend(t, { greeting: 'HANG' });
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' } });
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(['<ann>']);
  mta.socket.destroy();
  await until('it is told', () => proxy.outcomes.length === 1);
  await until('the connection is given up', () => mail1.open === 0 && proxy.pools.connections()[0]?.busy === 0);
});

test('no more connections than allowed: others wait, and are put off in time', async (t) => {
  const mail1 = await backend(t, { after: () => 'HANG' });
  const proxy = await runProxy(t, {
    backends: { mail1 },
    users: { ann: 'mail1' },
    connections: 2,
    settings: { wait_timeout: 300, reply_timeout: 1500 },
  });
  const mtas = await Promise.all([1, 2, 3, 4].map(() => Mta.greet(proxy.address)));
  const sent = mtas.map((mta) => mta.send(['<ann>']));
  await until('two wait', () => proxy.pools.connections()[0]?.waiting === 2);
  assert.deepEqual(proxy.pools.connections(), [{ backend: 'mail1', busy: 2, idle: 0, waiting: 2, late: 0 }]);
  const said = (await Promise.all(sent)).map((replies) => replies[0]?.slice(0, 9));
  assert.deepEqual(said.toSorted(), ['451 4.4.2', '451 4.4.2', '451 4.4.5', '451 4.4.5']);
  assert.equal(mail1.connections, 2);

  // Whoever waits gets the connection that is given back.
  mail1.behaviour = new FakeBackend().behaviour;
  const all = await Promise.all(mtas.map((mta) => mta.send(['<ann>'])));
  assert.ok(all.every((replies) => replies[0]?.startsWith('250')));
});

test('connections that nobody uses are let go, and QUIT is said on them', async (t) => {
  const mail1 = await backend(t);
  const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1' }, settings: { idle_timeout: 100 } });
  const mta = await Mta.greet(proxy.address);
  await mta.send(['<ann>']);
  await until('it is let go', () => mail1.open === 0 && proxy.pools.connections()[0]?.idle === 0);
  assert.equal(mail1.lines.at(-1), 'QUIT');
  await mta.send(['<ann>']);
  await proxy.pools.close(1000);
  assert.equal(mail1.lines.at(-1), 'QUIT');
  assert.match((await mta.send(['<ann>']))[0] ?? '', /^451 4\.4\.2 .*shutting down/);
});

test('a slow backend slows its own message, and holds no more of it than its buffer', async (t) => {
  const slow = await backend(t, { inMessage: { bytes: 50_000, say: 'STOP READING' } });
  const proxy = await runProxy(t, {
    backends: { slow, good: await backend(t) },
    users: { ann: 'slow', bob: 'good' },
    settings: { buffer: 65_536, stall_timeout: 1500 },
  });
  const [mta, other] = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  const before = process.memoryUsage().arrayBuffers;
  const said = mta.send(['<ann>', '<bob>'], Buffer.alloc(40_000_000, 'x'.repeat(98) + '\r\n'));
  for (let count = 0; count < 20; count++) assert.match((await other.send(['<bob>']))[0] ?? '', /^250/);
  // The test's own copy of the message is in there too, and the socket buffers of all four ends.
  assert.ok(process.memoryUsage().arrayBuffers - before < 60_000_000);
  assert.match((await said)[0] ?? '', /^451 4\.4\.2 .*takes no more/);
  assert.match((await said)[1] ?? '', /^250/);
});
