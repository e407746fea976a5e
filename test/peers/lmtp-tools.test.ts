// The proxy between Postfix's own LMTP client and server (smtp-source, smtp-sink), and under swaks.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { runProxy } from '../harness/lmtp-proxy.ts';
import { withoutSmtpTools, withoutSwaks } from '../harness/peers.ts';
import { startSink } from '../harness/smtp-sink.ts';

const run = promisify(execFile);
/** Debian keeps Postfix's programs in /usr/sbin, which is not on everybody's PATH. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };

describe('smtp-source and smtp-sink', { skip: withoutSmtpTools() }, () => {
  const loads: [string, string[]][] = [
    ['a connection for each message', ['-s', '5', '-m', '200', '-l', '4096']],
    ['many messages a connection, several recipients', ['-s', '5', '-m', '200', '-r', '7', '-d', '-l', '4096']],
    ['large messages', ['-s', '3', '-m', '12', '-d', '-l', '3000000']],
  ];
  for (const [what, load] of loads) {
    test(what, async (t) => {
      const sink = await startSink(t);
      const names = ['user', ...[1, 2, 3, 4, 5, 6, 7].map((count) => `${count}user`)];
      const users = Object.fromEntries(names.map((name) => [name, 'sink']));
      const proxy = await runProxy(t, {
        backends: { sink },
        users,
        settings: { reply_timeout: 20_000, wait_timeout: 20_000 },
      });
      assert.ok('port' in proxy.address);
      await run('smtp-source', ['-L', ...load, '-t', 'user@example.org', `127.0.0.1:${proxy.address.port}`], { env });
      assert.ok(proxy.outcomes.length > 0 && proxy.outcomes.every((each) => each.outcome === 'delivered'));
    });
  }

  test('a sink that does not pipeline, and one that refuses the message', async (t) => {
    const [plain, refusing] = [await startSink(t, '-p'), await startSink(t, '-f', '.')];
    const proxy = await runProxy(t, { backends: { plain, refusing }, users: { ann: 'plain', bob: 'refusing' } });
    assert.ok('port' in proxy.address);
    const at = `127.0.0.1:${proxy.address.port}`;
    await run('smtp-source', ['-L', '-t', 'ann', '-m', '3', at], { env });
    assert.deepEqual(
      proxy.outcomes.map((each) => each.outcome),
      ['delivered', 'delivered', 'delivered'],
    );
    await assert.rejects(run('smtp-source', ['-L', '-t', 'bob', at], { env }));
    assert.notEqual(proxy.outcomes.at(-1)?.outcome, 'delivered');
  });
});

describe('swaks', { skip: withoutSwaks() }, () => {
  test('by TCP and by a Unix socket, with recipients of every fate', async (t) => {
    const mail1 = await new FakeBackend().listen();
    t.after(() => mail1.close());
    const proxy = await runProxy(t, { backends: { mail1 }, users: { ann: 'mail1', bob: 'mail1' } });
    assert.ok('port' in proxy.address);
    const folder = await mkdtemp(join(tmpdir(), 'rookery-swaks-'));
    t.after(() => rm(folder, { recursive: true }));
    const socket = join(folder, 'lmtp');
    await proxy.listener.listen({ path: socket });
    for (const where of [
      ['--server', proxy.address.host, '--port', String(proxy.address.port)],
      ['--socket', socket],
    ]) {
      const { stdout } = await run('swaks', [
        ...where,
        '--protocol',
        'LMTP',
        '--from',
        's@x',
        '--to',
        'ann@x,nobody@x,bob@x',
        '--pipeline',
      ]);
      assert.match(stdout, /\*\* 550 5\.1\.1 User unknown/);
      assert.equal(stdout.match(/<- {2}250 2\.1\.5 <\w+@x> Ok/g)?.length, 2);
    }
    assert.deepEqual(
      mail1.messages.map((message) => message.whole),
      [true, true],
    );
    assert.match(mail1.messages[1]?.raw ?? '', /^Received: from \S+ \(unix socket\)/);
  });
});
