// `rookery route explain` with a sender and a size: our own limit, what the backend announces, and what nobody can know.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { rookery as carriedOut, type Ending } from '../harness/cli.ts';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';

interface Stand {
  backend: FakeBackend;
  explain: (...args: string[]) => Promise<Ending>;
}

/** ann lives on mail1; `lmtp` is more of that section. */
async function stand(t: TestContext, behaviour: Partial<Behaviour> = {}, lmtp: object = {}): Promise<Stand> {
  const backend = await new FakeBackend(behaviour).listen();
  const folder = mkdtempSync(join(tmpdir(), 'rookery-explain-'));
  t.after(async () => {
    await backend.close();
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'rookery.yaml');
  // YAML takes JSON.
  writeFileSync(file, JSON.stringify({ lmtp, backends: { mail1: { lmtp: backend.address } } }));
  const directory = new MemoryDirectory();
  const ann = { verb: 'ACTIVATE', name: 'user.ann', location: 'mail1!default', acl: '' } as const;
  await directory.write(ann, { session: 's', admin: true, push: false });
  await directory.vouch('test');
  const more = { env: { ROOKERY_CONFIG: file }, openDirectory: () => Promise.resolve(directory) };
  return { backend, explain: (...args) => carriedOut(['route', 'explain', ...args], more) };
}

const sizes = (keyword: string) => ({ keywords: ['PIPELINING', keyword] });

test('a size within all limits, and what only the backend can tell', async (t) => {
  const { backend, explain } = await stand(t, sizes('SIZE 5000'), { size_limit: 9000 });
  const ending = await explain('ann@example.org', '--size', '5000');
  assert.equal(ending.code, 0);
  assert.equal(ending.out[0], 'size: 5000 octets, our limit is 9000');
  assert.deepEqual(ending.out.slice(-3), [
    'size: mail1 takes up to 5000 octets; whether the mailbox has room for it, only the backend can tell',
    'decision: deliver to mail1',
    'reply: 250 2.1.5 Ok',
  ]);
  // Asked on a connection that is closed again, and with nothing that could be taken for a message.
  assert.deepEqual(
    backend.lines.map((line) => line.split(' ', 1)[0]),
    ['LHLO', 'QUIT'],
  );
  assert.equal((await explain('ann@example.org', '--size', '4k')).out[0], 'size: 4096 octets, our limit is 9000');
});

test('a message that the backend will not take is refused, in whose words it may be', async (t) => {
  const { explain } = await stand(t, sizes('SIZE 5000'));
  const ending = await explain('ann@example.org', '--size', '5001', '-f', 'json');
  assert.equal(ending.code, 67);
  const { steps, ...rest } = JSON.parse(ending.out[0] ?? '') as { steps: string[] };
  assert.ok(steps.includes('size: 5001 octets, without a limit of ours'));
  assert.ok(
    steps.includes('size: mail1 takes no more than 5000 octets: RCPT is answered 250, and the message refused'),
  );
  assert.deepEqual(rest, {
    ...{ address: 'ann@example.org', action: 'reject', mailbox: 'user.ann', reason: 'size' },
    reply: '552 5.3.4 Message exceeds the limit of 5000 bytes',
  });
});

test('our own limit comes first, and the backend is not asked', async (t) => {
  const { backend, explain } = await stand(t, sizes('SIZE 5000'), { size_limit: 4000 });
  const ending = await explain('ann@example.org', '--size', '6000');
  assert.equal(ending.code, 67);
  assert.deepEqual(ending.out.slice(-2), [
    'decision: reject: size',
    'reply: 552 5.3.4 Message exceeds the limit of 4000 bytes',
  ]);
  assert.equal(backend.connections, 0);
});

test('a backend that announces nothing, one that is away, and a recipient that nobody has', async (t) => {
  const { backend, explain } = await stand(t, sizes('SIZE'));
  assert.match((await explain('ann', '--size', '0')).out.join('\n'), /^size: mail1 announces no limit; /m);
  assert.equal((await explain('nobody', '--size', '1')).code, 67);
  assert.equal(backend.connections, 1);
  await backend.close();
  const away = await explain('ann', '--size', '1');
  assert.equal(away.code, 0);
  assert.match(away.out.join('\n'), /^size: mail1 could not be asked what it takes: .*connection refused$/m);
});

test('a sender as MAIL would have him', async (t) => {
  const { backend, explain } = await stand(t, {}, { smtputf8: false });
  const taken = await explain('ann', '--from', 'joe@example.org');
  assert.equal(taken.code, 0);
  assert.match(taken.out[0] ?? '', /^sender: joe@example\.org; what it may do is judged by AUTH=/);
  assert.equal((await explain('ann', '--from', '<>')).out[0], 'sender: the null sender, of bounces and the like');
  const utf8 = await explain('ann', '--from', 'jürg@example.org');
  assert.equal(utf8.code, 67);
  assert.deepEqual(utf8.out.slice(-2), [
    'decision: reject: sender',
    'reply: 550 5.6.7 Not an ASCII address: SMTPUTF8 is needed',
  ]);
  for (const from of ['a b@example.org', '<a@b> SIZE=1', 'a@@b'])
    assert.equal((await explain('ann', '--from', from)).code, 65, from);
  for (const size of ['-1', '1T', '']) assert.equal((await explain('ann', `--size=${size}`)).code, 64, size);
  assert.equal(backend.connections, 0);
});

test('UTF-8 in a sender, where it is offered', async (t) => {
  const { explain } = await stand(t);
  const ending = await explain('ann', '--from', 'jürg@example.org');
  assert.equal(ending.code, 0);
  assert.match(ending.out[0] ?? '', /^sender: jürg@example\.org, by SMTPUTF8; /);
});
