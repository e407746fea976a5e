// The listener, played by the dialog files over TCP and over a Unix socket, and what no dialog can say.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../services/backends/registry.ts';
import { LmtpListener, type Log } from '../../services/lmtp/listener.ts';
import { lmtpDefaults, type LmtpSettings } from '../../services/lmtp/settings.ts';
import { dialogFiles, runDialog } from '../harness/dialog.ts';
import { LmtpStore } from '../harness/lmtp-store.ts';
import { quietLog } from '../harness/quiet-log.ts';
import { until } from '../harness/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-lmtp-'));
after(() => {
  rmSync(folder, { recursive: true });
});

interface Running {
  listener: LmtpListener;
  store: LmtpStore;
  address: Address;
  dial: () => Socket;
}

async function run(
  t: TestContext,
  settings: Partial<LmtpSettings> = {},
  at: Address = tcp,
  log: Log = quietLog,
): Promise<Running> {
  const store = new LmtpStore();
  const listener = new LmtpListener({
    servername: 'mx.test',
    settings: { ...lmtpDefaults, ...settings },
    handler: store,
    log,
  });
  t.after(() => listener.close(0));
  const address = await listener.listen(at);
  return { listener, store, address, dial: () => connect(address) };
}
const tcp: Address = { host: '127.0.0.1', port: 0 };

/** Sends all of `text` and resolves to what came back until the server closed. */
async function talk(socket: Socket, text: string): Promise<string> {
  let heard = '';
  socket.setEncoding('latin1').on('data', (more) => (heard += more.toString()));
  socket.on('error', () => undefined);
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return heard;
}

const envelope = 'LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n';

for (const file of dialogFiles('test/dialogs/lmtp')) {
  test(`dialog ${basename(file)} over TCP`, async (t) => {
    const { dial } = await run(t, { size_limit: 2000, recipients_limit: 8 });
    await runDialog(file, dial);
  });
  test(`dialog ${basename(file)} over a Unix socket`, async (t) => {
    const { dial } = await run(t, { size_limit: 2000, recipients_limit: 8 }, { path: join(folder, basename(file)) });
    await runDialog(file, dial);
  });
}

test('the same, one byte at a time', async (t) => {
  const { dial, store } = await run(t);
  const socket = dial();
  socket.setNoDelay(true);
  let heard = '';
  socket.on('data', (more) => (heard += more.toString('latin1')));
  for (const byte of `${envelope}..x\r\n\r\n.\r\nQUIT\r\n`) {
    socket.write(byte);
    await new Promise((next) => setImmediate(next));
  }
  await once(socket, 'close');
  assert.match(heard, /250 2\.1\.5 Stored for a\r\n221 2\.0\.0 Bye\r\n$/);
  assert.equal(store.kept[0]?.raw.toString('latin1'), '..x\r\n\r\n');
});

test('the handler hears who talks, and the parameters', async (t) => {
  const { dial, store } = await run(t);
  await talk(
    dial(),
    'LHLO mx.example.org\r\nTRACE t-1\r\nXFORWARD NAME=a+2Eb IDENT=q1\r\nXFORWARD SOURCE=LOCAL NAME=[UNAVAILABLE]\r\n' +
      'MAIL FROM:<s@example.org> SIZE=3 BODY=8BITMIME AUTH=<> SMTPUTF8\r\n' +
      'RCPT TO:<@x:"a b"@example.org> IGNOREQUOTA\r\nDATA\r\n\r\n.\r\n' +
      'MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n\r\n.\r\nQUIT\r\n',
  );
  const [kept, next] = store.kept;
  assert.ok(kept && next);
  assert.deepEqual(
    [...kept.session.xforward],
    [
      ['IDENT', 'q1'],
      ['SOURCE', 'LOCAL'],
    ],
  );
  assert.equal(kept.session.mtaQueueId, 'q1');
  // XFORWARD is of one transaction, TRACE of all that come.
  assert.deepEqual([next.session.xforward.size, next.session.mtaQueueId], [0, '']);
  assert.deepEqual([kept.session.traceId, next.session.traceId], ['t-1', 't-1']);
  assert.deepEqual([kept.session.tls, kept.session.user], [false, undefined]);
  assert.equal(kept.session.lhlo, 'mx.example.org');
  assert.equal(kept.session.client, '127.0.0.1');
  const { path: _path, ...said } = kept.sender;
  assert.deepEqual(said, { size: 3, body: '8BITMIME', auth: '<>', smtputf8: true });
  const raw = kept.recipients.map((each) => [each.path.raw, each.ignoreQuota]);
  assert.deepEqual(raw, [['"a b"@example.org', true]]);
});

test('a client lost in a message: the sink is told, and the final dot never comes', async (t) => {
  const { dial, store } = await run(t);
  for (const end of ['destroy', 'end'] as const) {
    const socket = dial();
    socket.write(`${envelope}half a message\r\n.\r`);
    await once(socket, 'data');
    await until('the message begins', () => socket.bytesRead > 150);
    socket[end]();
    socket.resume();
    await until(`told after ${end}`, () => store.kept.length > 0);
    assert.equal(store.kept.pop()?.ended, 'client lost');
    socket.destroy();
  }
});

test('transactions that come to nothing are told so', async (t) => {
  const { dial, store } = await run(t);
  await talk(dial(), 'LHLO c\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nLHLO c\r\nMAIL FROM:<>\r\nQUIT\r\n');
  assert.equal(store.resets, 3);
  const socket = dial();
  socket.write('LHLO c\r\nMAIL FROM:<>\r\n');
  await until('MAIL is answered', () => socket.bytesRead > 130);
  socket.destroy();
  await until('told', () => store.resets === 4);
});

test('a sink that is full makes the client wait, and only it', async (t) => {
  const { dial, store } = await run(t);
  let release: () => void = () => undefined;
  store.hold = new Promise((resolve) => (release = resolve));
  const socket = dial();
  socket.write(envelope);
  const body = Buffer.alloc(30_000_000, 'x'.repeat(98) + '\r\n');
  socket.write(body);
  await until('the client is held up', () => socket.bytesWritten > 0 && socket.writableLength > 20_000_000);
  await runDialog('test/dialogs/lmtp/session.dialog', () => dial()).catch((error: unknown) => {
    // The limits differ in this listener; that it answered is all that counts.
    assert.match(String(error), /SIZE/);
  });
  release();
  store.hold = undefined;
  await talk(socket, '.\r\nQUIT\r\n');
  assert.equal(store.kept[0]?.raw.equals(body), true);
});

test('a client that never reads is held up, then told to go, then cut off', async (t) => {
  const { dial, listener } = await run(t, { session_timeout: 300 });
  const socket = dial();
  socket.on('error', () => undefined);
  socket.pause();
  await until('it is there', () => listener.sessions === 1);
  const noise = Buffer.alloc(1_000_000, 'NOOP\r\n');
  for (let round = 0; round < 20; round++) socket.write(noise);
  await until('its replies are no longer made', () => listener.sessions === 0, 15_000);
  socket.destroy();
});

test('a silent client is told 421, in a command as well as in a message', async (t) => {
  const { dial } = await run(t, { session_timeout: 100 });
  assert.match(await talk(dial(), 'MAIL'), /\r\n421 4\.4\.2 [^\n]+\r\n$/);
  assert.match(await talk(dial(), `${envelope}text`), /354[^\n]+\r\n421 4\.4\.2 [^\n]+\r\n$/);
});

test('what is refused before it gets to the handler has its line in the log, and no other words of the client', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = { ...quietLog, info: (fields: object) => void lines.push({ ...fields }) };
  const { dial } = await run(t, { session_timeout: 200, bad_commands_limit: 4, size_limit: 9 }, tcp, log);
  await talk(
    dial(),
    'LHLO mta\r\nMAIL FROM:<> SIZE=10\r\nMAIL FROM:<>\r\nRCPT TO:<a b@x>\r\n' +
      `AUTH PLAIN AGEAczNjcmV0\r\n\x01\r\n${'x'.repeat(5000)}\r\nEND\r\n`,
  );
  await talk(dial(), 'MAIL');
  assert.deepEqual(
    lines.map(({ code, dsn, line }) => [code, dsn, line]),
    [
      [552, '5.3.4', 'MAIL FROM:<> SIZE=10'],
      [501, '5.5.4', 'RCPT TO:<a b@x>'],
      [500, '5.5.2', undefined],
      [500, '5.5.2', undefined],
      [500, '5.5.2', undefined],
      [500, '5.5.2', undefined],
      [421, '4.7.0', undefined],
      [421, '4.4.2', undefined],
    ],
  );
  assert.ok(lines.every(({ event, session, client }) => event === 'refused' && session && client === '127.0.0.1'));
  assert.equal(lines[0]?.['lhlo'], 'mta');
  assert.doesNotMatch(JSON.stringify(lines), /AGEAczNjcmV0/);
});

test('sessions beyond the limit are told 421', async (t) => {
  const { dial } = await run(t, { sessions_limit: 1 });
  const first = dial();
  await once(first, 'data');
  assert.equal(await talk(dial(), ''), '421 4.3.2 Too many sessions, try again later\r\n');
  first.destroy();
});

test('a crowd that says nothing keeps nobody out: the longest silent give way, whatever they have begun', async (t) => {
  const { dial, store, listener } = await run(t, { sessions_limit: 4 });
  store.hold = new Promise(() => undefined);
  const heard: string[] = [];
  const sockets: Socket[] = [];
  const open = async (commands: string, replies: RegExp): Promise<void> => {
    const at = sockets.push(dial()) - 1;
    heard[at] = '';
    sockets[at]?.on('error', () => undefined).on('data', (text) => (heard[at] = (heard[at] ?? '') + text.toString()));
    sockets[at]?.write(commands);
    await until('it has its reply', () => replies.test(heard[at] ?? ''));
  };
  // The first waits for us, who do not take its message; the others let us wait.
  await open(envelope, /^354 /m);
  sockets[0]?.write('x\r\n');
  await open(envelope, /^354 /m);
  await open('LHLO c\r\nMAIL FROM:<>\r\n', /^250 2\.1\.0/m);
  await open('', /^220 /);
  const full = '421 4.3.2 Too many sessions, try again later\r\n';
  assert.equal(await talk(dial(), ''), full);
  await sleep(5100);
  for (const silent of [1, 2, 3]) {
    await open('LHLO c\r\n', /^250 /m);
    await until('the one that was silent for longest has gone', () => heard[silent]?.endsWith(full) === true);
  }
  // These have not been silent for long.
  assert.equal(await talk(dial(), ''), full);
  await until('no more than may be', () => listener.sessions === 4);
  assert.ok([0, 4, 5, 6].every((at) => heard[at]?.includes('421') === false && sockets[at]?.destroyed === false));
  for (const socket of sockets) socket.destroy();
});

test('ten thousand commands in one segment are all answered, in few writes', async (t) => {
  const { dial } = await run(t);
  const heard = await talk(dial(), 'NOOP\r\n'.repeat(10_000) + 'QUIT\r\n');
  assert.equal(heard.split('250 2.0.0 Ok\r\n').length, 10_001);
});

test('closing: idle sessions are told at once, a message under way is finished, the rest is cut off', async (t) => {
  const { dial, listener, store } = await run(t);
  const idle = dial();
  const idleHeard = talk(idle, '');
  const busy = dial();
  busy.write(`${envelope}first\r\n`);
  const stuck = dial();
  const cutOff = talk(stuck, envelope);
  await until('all are there', () => listener.sessions === 3 && busy.bytesRead > 150 && stuck.bytesRead > 150);
  const closed = listener.close(1500);
  assert.match(await idleHeard, /421 4\.3\.2 Shutting down\r\n$/);
  assert.match(await talk(busy, 'second\r\n.\r\n'), /Stored for a\r\n421 4\.3\.2 Shutting down\r\n$/);
  await closed;
  await until('the handler is told of it', () => store.kept.length === 2);
  assert.match(await cutOff, /354[^\n]+\n421 4\.3\.2 Shutting down\r\n$/);
  assert.deepEqual(
    store.kept.map((kept) => kept.ended),
    ['whole', 'client lost'],
  );
});

test('a Unix socket left behind is taken over, one in use is not, nor is another file', async (t) => {
  const path = join(folder, 'left');
  const { listener } = await run(t, { socket_mode: 0o600 }, { path });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(run(t, {}, { path }), { code: 'EADDRINUSE' });
  await listener.close(0);
  assert.equal(existsSync(path), false);

  // A socket whose process is gone: bound, then moved away from the one who would remove it.
  const other = createServer().listen(`${path}2`);
  await once(other, 'listening');
  renameSync(`${path}2`, path);
  await new Promise((closed) => other.close(closed));
  assert.equal(existsSync(path), true);
  const again = await run(t, {}, { path });
  await runDialog('test/dialogs/lmtp/hostile.dialog', again.dial);

  writeFileSync(join(folder, 'file'), 'precious');
  await assert.rejects(run(t, {}, { path: join(folder, 'file') }), { code: 'EADDRINUSE' });
  assert.equal(existsSync(join(folder, 'file')), true);
});

test('an address in use is refused', async (t) => {
  const { address } = await run(t);
  await assert.rejects(run(t, {}, address), { code: 'EADDRINUSE' });
});
