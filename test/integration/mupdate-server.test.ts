// The MUPDATE server's sessions: order, pushes, a directory that is away, floods, limits, and the end.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Answer, Write, Writer } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { until } from '../harness/until.ts';

/** A directory that keeps a diary, and each question of which may be held up or refused. */
class Watched extends MemoryDirectory {
  readonly writes: [Write, Writer][] = [];
  before: () => Promise<void> = () => Promise.resolve();
  heardHeld: Promise<void> = Promise.resolve();
  epoch = 1;

  override async write(write: Write, writer: Writer): Promise<Answer> {
    await this.before();
    this.writes.push([write, writer]);
    return super.write(write, writer);
  }
  override async lookup(names: readonly string[]) {
    await this.before();
    return super.lookup(names);
  }
  override async list(prefix: string) {
    await this.before();
    return super.list(prefix);
  }
  override async snapshot() {
    await this.before();
    return super.snapshot();
  }
  override async standing() {
    return { ...(await super.standing()), epoch: this.epoch };
  }
  override async heard(server: string, required: readonly string[], begun: number): Promise<void> {
    await this.heardHeld;
    return super.heard(server, required, begun);
  }
}

const away = () => Promise.reject(new Error('connection refused'));
const present = () => Promise.resolve();

/** Everything a bare connection is sent until it closes. */
async function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => (text += bytes.toString()));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return text;
}

const login = (user: string) => `A AUTHENTICATE "PLAIN" "${Buffer.from(`\0${user}\0muppw`).toString('base64')}"\r\n`;

test('writes of one connection reach the directory one after another, in the order sent', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  let waiting = 0;
  directory.before = async () => {
    waiting += 1;
    assert.equal(waiting, 1);
    await pause(Math.random() * 3);
    waiting -= 1;
  };
  const client = await mupdate.client('mup-mail1');
  const names = Array.from({ length: 100 }, (_, i) => `user.u${i}`);
  const replies = await Promise.all(names.map((name) => client.send('RESERVE', [name, 'mail1!default'])));
  assert.ok(replies.every(({ status }) => status === 'OK'));
  assert.deepEqual(
    directory.writes.map(([{ name }]) => name),
    names,
  );
});

test('a write that takes long holds up no other session', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const slow = await mupdate.client('mup-mail1');
  const quick = await mupdate.client('mup-mail2');
  let asked = false;
  directory.before = () => {
    asked = true;
    directory.before = present;
    return held;
  };
  const waiting = slow.send('RESERVE', ['user.a', 'mail1!default']);
  await until('the slow write is asked for', () => asked);
  assert.equal((await quick.send('RESERVE', ['user.b', 'mail2!default'])).status, 'OK');
  release();
  assert.equal((await waiting).status, 'OK');
});

test('on whose behalf a write comes: bound, unbound, push, operator', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const bound = await mupdate.client('mup-mail1');
  const shared = await mupdate.client('shared');
  const operator = await mupdate.client('mup-extra');
  await bound.send('DELETE', ['n']);
  await shared.send('DELETE', ['n']);
  await shared.send('LIST', ['mail2!']);
  await shared.send('DELETE', ['n']);
  await operator.send('DELETE', ['n']);
  await operator.send('RESERVE', ['n', 'mail3!default']);
  await operator.send('LIST', ['mail3!']);
  await operator.send('DELETE', ['n']);
  const seen = directory.writes.map(([, { session, ...rest }]) => ({ ...rest, named: session !== '' }));
  assert.deepEqual(seen, [
    { by: 'mup-mail1', server: 'mail1', admin: false, push: false, named: true },
    { by: 'shared', admin: false, push: false, named: true },
    { by: 'shared', server: 'mail2', admin: false, push: true, named: true },
    { by: 'mup-extra', admin: true, push: false, named: true },
    { by: 'mup-extra', server: 'mail3', admin: true, push: false, named: true },
    // A push never acts as an administrator.
    { by: 'mup-extra', server: 'mail3', admin: false, push: true, named: true },
  ]);
  assert.equal(new Set(directory.writes.map(([, { session }]) => session)).size, 3);
});

test('a directory that is away: NO to every question, and the session goes on', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const client = await mupdate.client('mup-mail1');
  directory.before = away;
  for (const [verb, ...strings] of [
    ['RESERVE', 'user.a', 'mail1!default'],
    ['ACTIVATE', 'user.a', 'mail1!default', ''],
    ['DELETE', 'user.a'],
    ['FIND', 'user.a'],
    ['LIST'],
    ['LIST', 'mail1!'],
  ] as [string, ...string[]][]) {
    const { status, text, data } = await client.send(verb, strings);
    assert.deepEqual([status, text, data], ['NO', 'directory unavailable', []], verb);
  }
  directory.before = present;
  assert.equal((await client.send('RESERVE', ['user.a', 'mail1!default'])).status, 'OK');
  assert.ok(mupdate.logged.includes('warn mupdate: directory unavailable'));
});

test('UPDATE is closed without a line while the directory is away, or not trusted', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const asked = async (): Promise<string> => {
    const socket = mupdate.connect();
    socket.write(`${login('mup-frontend')}U UPDATE\r\n`);
    return (await allOf(socket)).split('A OK "Authenticated"\r\n')[1] ?? 'not even authenticated';
  };
  mupdate.trusted = false;
  assert.equal(await asked(), '');
  mupdate.trusted = true;
  directory.before = away;
  assert.equal(await asked(), '');
});

test('a push is counted at LOGOUT, also when the client is gone before the answer', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  let release: () => void = () => undefined;
  directory.heardHeld = new Promise((resolve) => (release = resolve));
  const client = await mupdate.client('mup-mail1');
  await client.send('LIST', ['mail1!']);
  await client.send('FIND', ['user.a']);
  await client.send('ACTIVATE', ['user.a', 'mail1!default', '']);
  client.send('LOGOUT').catch(() => undefined);
  // The bytes are in the kernel's hands before the socket is closed.
  await pause(0);
  client.destroy();
  await client.closed;
  release();
  await until('mail1 is heard', async () => (await directory.standing()).heard.includes('mail1'));
});

test('a push is not counted when it is a dry run, unanswered, cut, of another server, a reader, or over lost data', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const push = async (user: string, ...commands: [string, ...string[]][]): Promise<void> => {
    const client = await mupdate.client(user);
    for (const [verb, ...strings] of commands) await client.send(verb, strings);
    client.destroy();
    await client.closed;
  };
  const list: [string, ...string[]] = ['LIST', 'mail1!'];
  await push('mup-mail1', list, ['FIND', 'user.dry'], ['LOGOUT']);
  await push('mup-mail1', list, ['FIND', 'user.cut'], ['ACTIVATE', 'user.cut', 'mail1!default', '']);
  await push('mup-mail1', ['LIST', 'mail2!'], ['LOGOUT']);
  await push('mup-mail1', ['LIST'], ['LOGOUT']);
  await push('mup-frontend', list, ['LOGOUT']);

  const unanswered = await mupdate.client('mup-mail1');
  await unanswered.send('LIST', ['mail1!']);
  await unanswered.send('FIND', ['user.x']);
  directory.before = away;
  await unanswered.send('ACTIVATE', ['user.x', 'mail1!default', '']);
  directory.before = present;
  await unanswered.send('ACTIVATE', ['user.x', 'mail1!default', '']);
  await unanswered.logout();

  const lost = await mupdate.client('mup-mail1');
  await lost.send('LIST', ['mail1!']);
  directory.epoch = 2;
  await lost.logout();
  directory.epoch = 0;
  await push('mup-mail1', list, ['LOGOUT']);
  directory.epoch = 2;
  assert.deepEqual((await directory.standing()).heard, []);
  await push('mup-mail1', list, ['LOGOUT']);
  assert.deepEqual((await directory.standing()).heard, ['mail1']);
});

test('a flood of connections that never authenticate keeps nobody out', async (t) => {
  const mupdate = await ScratchMupdate.start(t, { unauthenticated_limit: 16, sessions_limit: 24 });
  const working = await mupdate.client('mup-mail1');
  const flood = Array.from({ length: 200 }, () => mupdate.connect().on('error', () => undefined));
  const newcomer = await mupdate.client('mup-mail2');
  for (const client of [working, newcomer]) assert.equal((await client.send('NOOP')).status, 'OK');
  await until('all but some are gone', () => mupdate.server.sessions.unauthenticated <= 16);
  assert.equal(mupdate.server.sessions.authenticated, 2);
  flood.forEach((socket) => socket.destroy());
  await until('all are gone', () => mupdate.server.sessions.unauthenticated === 0);
});

test('bytes that never become a command keep no session open', async (t) => {
  const mupdate = await ScratchMupdate.start(t, { idle_timeout: 300 });
  const socket = mupdate.connect();
  const said = allOf(socket);
  socket.write(login('mup-mail1'));
  const drip = setInterval(() => socket.write('x'), 20);
  t.after(() => {
    clearInterval(drip);
  });
  await until('the session is ended', () =>
    mupdate.logged.includes('warn mupdate: connection ended: idle for too long'),
  );
  clearInterval(drip);
  socket.end();
  assert.match(await said, /A OK "Authenticated"\r\n$/);
});

test('whoever has handed mailboxes over is not idle, until they are taken', async (t) => {
  const directory = new MemoryDirectory();
  const mupdate = await ScratchMupdate.start(t, { directory, idle_timeout: 200 });
  const socket = mupdate.connect();
  const said = allOf(socket);
  const ended = () => mupdate.logged.includes('warn mupdate: connection ended: idle for too long');
  const row = '"user.ann" "mail1!d"';
  socket.write(`${login('mup-mail1')}R RESERVE ${row}\r\nC ACTIVATE ${row} "a"\r\nD DEACTIVATE ${row}\r\n`);
  const stateOf = async () => (await directory.lookup(['user.ann'])).entries[0]?.state;
  await until('it is handed over', async () => (await stateOf()) === 'handed');
  await pause(1000);
  assert.equal(ended(), false, 'its XFER goes on');
  const writer = { session: 'other-1', server: 'mail2', admin: false, push: false };
  await directory.write({ verb: 'ACTIVATE', name: 'user.ann', location: 'mail2!d', acl: 'a' }, writer);
  await until('the session is ended', ended);
  socket.end();
  assert.match(await said, /D OK "done"\r\n$/);
});

test('a Unix socket: left behind by a killed process it is taken over, in use it is not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-mupdate-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await assert.rejects(promisify(execFile)(process.execPath, ['-e', script]));
  const mupdate = await ScratchMupdate.start(t);
  assert.deepEqual(await mupdate.server.listen({ path }), { path });
  const client = await MupdateClient.connect({
    ...{ address: { path }, username: 'mup-mail1', password: 'muppw', timeout: 10_000 },
  });
  await client.logout();
  await assert.rejects((await ScratchMupdate.start(t)).server.listen({ path }), /EADDRINUSE/);
});

test('a shared user speaks for the server whose host he comes from; only the active host may', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const from = (localAddress: string) => mupdate.client('shared', localAddress);
  const active = await from('127.0.0.11');
  const [passive, single, stranger] = [await from('127.0.0.12'), await from('127.0.0.13'), await from('127.0.0.14')];
  const no = 'passive host of pair; active is 127.0.0.11';
  assert.equal((await active.send('ACTIVATE', ['user.a', 'pair!default', 'x'])).text, 'done');
  // By its address alone it is bound: a DELETE names no server.
  assert.equal((await passive.send('DELETE', ['user.a'])).text, no);
  assert.deepEqual(await passive.send('LIST'), { status: 'OK', text: 'list complete', data: [] });
  assert.equal(
    (await single.send('RESERVE', ['user.b', 'pair!default'])).text,
    'session writes for single, not for pair',
  );
  assert.equal((await single.send('ACTIVATE', ['user.c', 'single!default', 'x'])).text, 'done');
  assert.equal(
    (await stranger.send('RESERVE', ['user.d', 'single!default'])).text,
    'passive host of single; active is 127.0.0.13',
  );
  for (const client of [active, passive, single, stranger]) {
    await client.send('LIST', ['pair!']);
    await client.logout();
  }
  assert.deepEqual((await directory.standing()).heard, ['pair']);
  const told = mupdate.logged.filter((line) => line === 'info mupdate: passive host');
  assert.equal(told.length, 2);
});

test('what a stranger deleted before he named the server of another host is put back', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const owner = await mupdate.client('pair-a');
  await owner.send('ACTIVATE', ['user.old', 'pair!default', 'x']);
  const stranger = await mupdate.client('shared');
  assert.equal((await stranger.send('DELETE', ['user.old'])).status, 'OK');
  assert.equal((await stranger.send('RESERVE', ['user.new', 'pair!default'])).status, 'NO');
  assert.equal((await directory.lookup(['user.old'])).entries[0]?.state, 'active');
  await stranger.logout();
  assert.equal((await directory.lookup(['user.old'])).entries[0]?.state, 'active');
});

test('a Unix socket has no address: only a user with a host of his own speaks for a server that has hosts', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-mupdate-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const mupdate = await ScratchMupdate.start(t);
  await mupdate.server.listen({ path });
  const reserve = async (username: string): Promise<string> => {
    const client = await MupdateClient.connect({ address: { path }, username, password: 'muppw', timeout: 10_000 });
    const { status } = await client.send('RESERVE', [`user.${username}`, 'pair!default']);
    await client.logout();
    return status;
  };
  assert.deepEqual([await reserve('pair-a'), await reserve('pair-b'), await reserve('shared')], ['OK', 'NO', 'NO']);
});

test('IPv4 through an IPv6 listener is the IPv4 address', async (t) => {
  const mupdate = await ScratchMupdate.start(t);
  const address = await mupdate.server.listen({ host: '::', port: 0 });
  assert.ok('port' in address);
  const client = await mupdate.client('shared', '127.0.0.11', address.port);
  assert.equal((await client.send('RESERVE', ['user.a', 'pair!default'])).status, 'OK');
});

test('above the limit of sessions a client is told BYE', async (t) => {
  const mupdate = await ScratchMupdate.start(t, { sessions_limit: 1 });
  const first = await mupdate.client('mup-mail1');
  assert.equal(await allOf(mupdate.connect()), '* BYE "too many connections"\r\n');
  await first.logout();
  await (await mupdate.client('mup-mail1')).logout();
});

test('the server ends: a command at hand is answered; who has not logged in is told BYE, others get no line', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const idle = mupdate.connect();
  const stream = mupdate.connect();
  const busy = mupdate.connect();
  const said = [idle, stream, busy].map(allOf);
  stream.write(`${login('mup-frontend')}U UPDATE\r\n`);
  await until('the stream streams', () => mupdate.server.sessions.streaming === 1);
  let release: () => void = () => undefined;
  let asked = false;
  directory.before = () => {
    asked = true;
    return new Promise((resolve) => (release = resolve));
  };
  busy.write(`${login('mup-mail1')}R RESERVE "user.a" "mail1!d"\r\nS RESERVE "user.b" "mail1!d"\r\n`);
  await until('the write is asked for', () => asked);
  const closed = mupdate.server.close(10_000);
  release();
  await closed;
  const [idleSaid, streamSaid, busySaid] = await Promise.all(said);
  assert.match(idleSaid ?? '', /\(master\)"\r\n\* BYE "server is shutting down"\r\n$/);
  assert.match(streamSaid ?? '', /U OK "streaming starts"\r\n$/);
  assert.match(busySaid ?? '', /R OK "done"\r\n$/);
});

test('the server ends while UPDATE is at hand: all of the list or a part of it, and never a BYE', async (t) => {
  for (const [grace, whole] of [
    [10_000, true],
    [50, false],
  ] as const) {
    const directory = new Watched();
    const mupdate = await ScratchMupdate.start(t, { directory });
    let release: () => void = () => undefined;
    let asked = false;
    directory.before = () => {
      asked = true;
      return new Promise((resolve) => (release = resolve));
    };
    const socket = mupdate.connect();
    const said = allOf(socket);
    socket.write(`${login('mup-frontend')}U UPDATE\r\n`);
    await until('the list is asked for', () => asked);
    const closed = mupdate.server.close(grace);
    if (whole) release();
    await closed;
    assert.match(await said, whole ? /U OK "streaming starts"\r\n$/ : /A OK "Authenticated"\r\n$/);
    release();
  }
});

test('a list that is cut in the middle ends without a line', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory, output_limit: 65_536 });
  const filler = await mupdate.client('mup-mail1');
  for (let i = 0; i < 200; i += 1) {
    await filler.send('ACTIVATE', [`user.u${i}`, 'mail1!default', 'x'.repeat(100_000)]);
  }
  const socket = mupdate.connect();
  socket.on('error', () => undefined);
  socket.write(`${login('mup-frontend')}U UPDATE\r\n`);
  t.after(() => {
    socket.destroy();
  });
  let text = '';
  let reading = false;
  socket.on('data', (bytes) => {
    text += bytes.toString();
    if (text.includes('MAILBOX') && !reading) socket.pause();
  });
  await until('the list has begun', () => text.includes('MAILBOX'));
  const closed = once(socket, 'close');
  await mupdate.server.close(50);
  reading = true;
  socket.resume();
  await closed;
  assert.doesNotMatch(text, /\r\n\S+ (BYE|NO|BAD) |streaming starts/);
});

test('the server ends in bounded time when the directory never answers', async (t) => {
  const directory = new Watched();
  const mupdate = await ScratchMupdate.start(t, { directory });
  directory.before = () => new Promise(() => undefined);
  const client = await mupdate.client('mup-mail1');
  const unanswered = assert.rejects(client.send('FIND', ['user.a']));
  await until('the session waits', () => mupdate.server.sessions.authenticated === 1);
  await mupdate.server.close(50);
  await unanswered;
});
