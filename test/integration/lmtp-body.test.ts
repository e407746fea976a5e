// The message on its way: to slow and to fast backends at the same time, in bounded memory, in a bounded spool, and never half.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { MemoryLimit } from '../../services/lmtp/memory-limit.ts';
import { Spool } from '../../services/lmtp/spool.ts';
import { FakeBackend, type Behaviour } from '../harness/lmtp-backend.ts';
import { Mta, runProxy, type ProxyRun } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

async function backend(t: TestContext, behaviour: Partial<Behaviour> = {}): Promise<FakeBackend> {
  const fake = await new FakeBackend(behaviour).listen();
  t.after(() => fake.close());
  return fake;
}

const ok = /^250 2\.1\.5 /;
/** Lines that tell where they belong, so that nothing can be lost, doubled or exchanged unseen. */
function numbered(lines: number): Buffer {
  return Buffer.from(Array.from({ length: lines }, (_, at) => `${String(at).padStart(98, '.')}\r\n`).join(''));
}
/** Does not fit into all the buffers on the way, those of the system included. */
const huge = numbered(200_000);

/** What a backend got, without our own line. */
function bodyOf({ messages }: FakeBackend): string {
  const raw = messages[0]?.raw ?? '';
  return raw.slice(raw.indexOf('+0000\r\n') + 7);
}

async function nothingHeld(proxy: ProxyRun): Promise<void> {
  await until('nothing is held any more', () => proxy.memory.held === 0 && proxy.spool.used === 0);
}

test('a slow backend holds the fast one for a while only, and gets its message from the spool', async (t) => {
  const slow = await backend(t, { inMessage: { bytes: 50_000, say: 'STOP READING' } });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { slow, good },
    users: { ann: 'slow', bob: 'good' },
    settings: { buffer: 65_536, spool_after: 50, stall_timeout: 20_000, reply_timeout: 20_000 },
  });
  const mta = await Mta.greet(proxy.address);
  const said = mta.send(['<ann>', '<bob>'], huge);
  await until('the fast one has it all', () => good.messages[0]?.whole === true);
  assert.equal(slow.messages[0]?.whole, false);
  assert.ok(proxy.spool.used > 0);
  assert.deepEqual(await readdir(proxy.folder), [], 'the file has no name');
  // Bounded: the buffer, what one write and the sockets hold.
  assert.ok(proxy.memory.held < 2_000_000, String(proxy.memory.held));
  slow.resume();
  const replies = await said;
  assert.match(replies[0] ?? '', ok);
  assert.match(replies[1] ?? '', ok);
  assert.ok(bodyOf(slow) === huge.toString('latin1'), 'whole and unchanged, through the file');
  assert.ok(bodyOf(good) === huge.toString('latin1'));
  await nothingHeld(proxy);
});

test('two backends that fall behind at different times each get the whole message', async (t) => {
  const slows = [
    await backend(t, { inMessage: { bytes: 50_000, say: 'STOP READING' } }),
    await backend(t, { inMessage: { bytes: 9_000_000, say: 'STOP READING' } }),
    await backend(t, { greeting: 'HANG' }),
  ] as const;
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { one: slows[0], two: slows[1], three: slows[2], good },
    users: { ann: 'one', bob: 'two', cas: 'three', dan: 'good' },
    settings: {
      ...{ buffer: 65_536, spool_after: 30, stall_timeout: 20_000, reply_timeout: 20_000, connect_timeout: 20_000 },
    },
  });
  const mta = await Mta.greet(proxy.address);
  const said = mta.send(['<ann>', '<bob>', '<cas>', '<dan>'], huge);
  await until('the fast one has it all', () => good.messages[0]?.whole === true, 20_000);
  slows[2].say('220 at last');
  for (const slow of slows) slow.resume();
  for (const reply of await said) assert.match(reply, ok);
  for (const each of [...slows, good]) assert.ok(bodyOf(each) === huge.toString('latin1'));
  await nothingHeld(proxy);
});

test('a full spool costs only those who needed it: 452 4.3.1', async (t) => {
  const slow = await backend(t, { inMessage: { bytes: 50_000, say: 'STOP READING' } });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { slow, good },
    users: { ann: 'slow', bob: 'good' },
    settings: { buffer: 65_536, spool_after: 30, spool_limit: 1_000_000, stall_timeout: 20_000 },
  });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.send(['<ann>', '<bob>'], huge);
  assert.match(said[0] ?? '', /^452 4\.3\.1 /);
  assert.match(said[1] ?? '', ok);
  assert.equal(slow.messages[0]?.whole, false);
  slow.resume();
  await until('it is cut off', () => slow.open === 0);
  await nothingHeld(proxy);
});

test('an MTA lost while a backend reads from the spool: no final dot for anybody', async (t) => {
  const slow = await backend(t, { inMessage: { bytes: 50_000, say: 'STOP READING' } });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { slow, good },
    users: { ann: 'slow', bob: 'good' },
    settings: { buffer: 65_536, spool_after: 30, stall_timeout: 20_000 },
  });
  const mta = await Mta.greet(proxy.address);
  await mta.envelope(['<ann>', '<bob>']);
  mta.socket.write(huge);
  await until('the spool is used', () => proxy.spool.used > 0);
  mta.socket.destroy();
  slow.resume();
  await until('both are cut off', () => slow.open === 0 && good.open === 0);
  assert.deepEqual([slow.messages[0]?.whole, good.messages[0]?.whole], [false, false]);
  await nothingHeld(proxy);
});

test('when all are slow nobody is spooled for: the MTA waits, and is put off in time', async (t) => {
  const slow = { inMessage: { bytes: 50_000, say: 'STOP READING' } };
  const [one, two] = [await backend(t, slow), await backend(t, slow)];
  const proxy = await runProxy(t, {
    backends: { one, two },
    users: { ann: 'one', bob: 'two' },
    settings: { buffer: 65_536, spool_after: 20, stall_timeout: 700 },
  });
  const mta = await Mta.greet(proxy.address);
  for (const said of await mta.send(['<ann>', '<bob>'], huge)) assert.match(said, /^451 4\.4\.2 .*takes no more/);
  await nothingHeld(proxy);
});

test('one deadline for all: what a backend owes then is 451, whatever it was doing', async (t) => {
  const silent = await backend(t, { command: (verb) => (verb === 'MAIL' ? 'HANG' : undefined) });
  const mute = await backend(t, { greeting: 'HANG' });
  const late = await backend(t, { after: () => 'HANG' });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { silent, mute, late, good },
    users: { ann: 'silent', bob: 'mute', cas: 'late', dan: 'good' },
    settings: {
      ...{ transaction_timeout: 500, connect_timeout: 5000, envelope_timeout: 5000, reply_timeout: 5000 },
      late_timeout: 200,
    },
  });
  const mta = await Mta.greet(proxy.address);
  const said = await mta.send(['<ann>', '<bob>', '<cas>', '<dan>']);
  for (const reply of said.slice(0, 3)) assert.match(reply, /^451 4\.4\.2 Backend \w+: no answer in time for the MTA$/);
  assert.match(said[3] ?? '', ok);
  await until('all connections are free in the end', () =>
    proxy.pools.connections().every(({ busy, late: waiting }) => busy + waiting === 0),
  );
  await nothingHeld(proxy);
});

test('above the memory limit MTAs are read no further, and nobody fails', async (t) => {
  const slow = await backend(t, { greeting: 'HANG' });
  const good = await backend(t);
  const proxy = await runProxy(t, {
    backends: { slow, good },
    users: { ann: 'slow', bob: 'good' },
    settings: { connect_timeout: 10_000, memory_limit: 100_000, buffer: 500_000 },
  });
  const [one, other] = [await Mta.greet(proxy.address), await Mta.greet(proxy.address)];
  const first = one.send(['<ann>'], numbered(4000));
  await until('the limit is reached', () => proxy.memory.isReached);
  const second = other.send(['<bob>'], huge);
  await until('the other one has begun', () => good.messages.length === 1);
  assert.equal(good.messages[0]?.whole, false);
  slow.say('220 at last');
  assert.match((await first)[0] ?? '', ok);
  assert.match((await second)[0] ?? '', ok);
  assert.ok(bodyOf(good) === huge.toString('latin1'));
  await nothingHeld(proxy);
});

test('the limit itself: whoever waits goes on when there is room, all of them', async () => {
  const limit = new MemoryLimit(10);
  limit.change(11);
  assert.equal(limit.isReached, true);
  const waiting = [limit.untilRoom(), limit.untilRoom()];
  limit.change(5);
  limit.change(-6);
  await Promise.all(waiting);
  assert.deepEqual([limit.isReached, limit.held], [false, 10]);
});

test('what a killed process has left in the spool folder is taken away, and nothing else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-spool-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'message-abc'), 'x');
  await writeFile(join(folder, 'notes'), 'x');
  const spool = await Spool.open(folder, 10);
  assert.deepEqual(await readdir(folder), ['notes']);
  const file = spool.file();
  await file.append(Buffer.from('12345'));
  await file.append(Buffer.from('67890'));
  assert.deepEqual([spool.used, file.length], [10, 10]);
  await assert.rejects(file.append(Buffer.from('x')), /full/);
  assert.equal((await file.read(3, 4)).toString(), '4567');
  assert.equal((await file.read(10, 4)).length, 0);
  await file.close();
  assert.equal(spool.used, 0);
  await assert.rejects(Spool.open(join(folder, 'notes', 'spool'), 1));
});
