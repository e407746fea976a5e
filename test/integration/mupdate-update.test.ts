// UPDATE: no gap and no repeat under concurrent writes, NOOP as a barrier, and clients that read slowly or never.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Socket } from 'node:net';
import type { Change, Directory, Feed, FeedListener, Position } from '../../services/directory/directory.ts';
import { MemoryDirectory } from '../../services/directory/memory-directory.ts';
import { LineReader } from '../../services/mupdate/grammar.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { startRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

/** A directory whose feeds can be held back, counted and lost. */
class Fed extends MemoryDirectory {
  readonly open = new Set<FeedListener>();
  held: (() => void)[] | undefined;

  override follow(from: Position, listener: FeedListener): Feed {
    const slow: FeedListener = {
      ...listener,
      change: (change) => {
        const give = (): void => {
          listener.change(change);
        };
        if (this.held) this.held.push(give);
        else give();
      },
    };
    this.open.add(listener);
    const feed = super.follow(from, slow);
    return {
      ...feed,
      close: () => {
        this.open.delete(listener);
        feed.close();
      },
    };
  }

  letGo(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const give of held) give();
  }
}

/** A client of UPDATE that keeps its lines in order: `MAILBOX user.a mail1!default x`, `OK streaming starts`. */
class Follower {
  readonly lines: string[] = [];
  readonly socket: Socket;
  readonly #reader = new LineReader({ line: 1e6, literal: 1e6, command: 1e6 }, { atoms: true });

  constructor(mupdate: ScratchMupdate, hosts = '') {
    this.socket = mupdate.connect();
    this.socket.setEncoding('latin1').on('data', (bytes) => {
      this.#reader.push(bytes.toString());
      for (let read = this.#reader.next(); read; read = this.#reader.next()) {
        assert.ok(read.kind === 'line');
        if (read.tag !== '*') this.lines.push([read.verb, ...read.strings].join(' '));
      }
    });
    this.socket.on('error', () => undefined);
    const plain = Buffer.from('\0mup-frontend\0muppw').toString('base64');
    this.socket.write(`A AUTHENTICATE "PLAIN" "${plain}"\r\nU UPDATE${hosts}\r\n`);
  }

  get streaming(): boolean {
    return this.lines.includes('OK streaming starts');
  }

  async noop(): Promise<void> {
    const before = this.lines.filter((line) => line === 'OK Noop done').length;
    this.socket.write('N NOOP\r\n');
    await until('the NOOP is answered', () => this.lines.filter((line) => line === 'OK Noop done').length > before);
  }

  /** The list; what was streamed after its second telling. The second telling is checked to be like the first. */
  get told(): { list: string[]; changes: string[] } {
    const lines = this.lines.filter((line) => line !== 'OK Authenticated' && line !== 'OK Noop done');
    const ok = lines.indexOf('OK streaming starts');
    const list = lines.slice(0, ok);
    assert.deepEqual(lines.slice(ok + 1, 2 * ok + 1), list);
    return { list, changes: lines.slice(2 * ok + 1) };
  }
}

function unexpected(reason: string): void {
  throw new Error(reason);
}

function lineOf({ state, name, location, acl }: Pick<Change, 'state' | 'name' | 'location' | 'acl'>): string {
  if (state === 'absent') return `DELETE ${name}`;
  return state === 'active' ? `MAILBOX ${name} ${location} ${acl}` : `RESERVE ${name} ${location}`;
}

/** Random operations by a backend, on names that the other backends use too. */
async function work(mupdate: ScratchMupdate, user: string, server: string, count: number): Promise<void> {
  const client = await mupdate.client(user);
  const pick = (things: string[]): string => things[Math.floor(Math.random() * things.length)] ?? '';
  for (let i = 0; i < count; i += 1) {
    const name = `user.u${Math.floor(Math.random() * 20)}`;
    const location = `${server}!${pick(['default', 'u2'])}`;
    const verb = pick(['RESERVE', 'ACTIVATE', 'DEACTIVATE', 'DELETE']);
    const strings = [name, ...(verb === 'DELETE' ? [] : [location]), ...(verb === 'ACTIVATE' ? [`x${i}`] : [])];
    await client.send(verb, strings);
  }
  await client.logout();
}

/** Followers that join while two backends write: each must have been told a state, and then exactly what followed it. */
async function noGapNoRepeat(mupdate: ScratchMupdate, directory: Directory): Promise<void> {
  const log: Change[] = [];
  const feed = directory.follow([], { change: (change) => void log.push(change), lost: unexpected });
  const writers = [work(mupdate, 'mup-mail1', 'mail1', 300), work(mupdate, 'mup-mail2', 'mail2', 300)];
  const followers: Follower[] = [];
  for (let i = 0; i < 8; i += 1) {
    await until('some more has been written', () => log.length > i * 20);
    followers.push(new Follower(mupdate, i % 2 === 0 ? '' : ' "mail2"'));
  }
  await Promise.all(writers);
  await feed.reached(await directory.head());
  for (const [i, follower] of followers.entries()) {
    await until('it streams', () => follower.streaming);
    await follower.noop();
    const { list, changes } = follower.told;
    const mine = (place: string) => i % 2 === 0 || place.startsWith('mail2!');
    const wanted = log.filter((change) => mine(change.location) || mine(change.from));
    // What was streamed is the log to its end, from somewhere; and the list is the state just before that.
    const from = wanted.length - changes.length;
    assert.deepEqual(changes, wanted.slice(from).map(lineOf));
    const first = wanted[from];
    const state = new Map<string, Change>();
    for (const change of log.slice(0, first ? log.indexOf(first) : undefined)) state.set(change.name, change);
    const rows = [...state.values()].filter((change) => change.state !== 'absent' && mine(change.location));
    assert.deepEqual(list.toSorted(), rows.map(lineOf).toSorted());
    follower.socket.destroy();
  }
  feed.close();
}

test('no gap and no repeat: followers of the reference model', async (t) => {
  const directory = new MemoryDirectory();
  await noGapNoRepeat(await ScratchMupdate.start(t, { directory }), directory);
});

test('no gap and no repeat: followers of the directory on Redis', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const scratch = await openScratchDirectory(redis.socket);
  t.after(() => scratch.close());
  const { directory } = scratch;
  await noGapNoRepeat(await ScratchMupdate.start(t, { directory }), directory);
});

test('changes do not wait behind a long list that is sent once more, and are not undone by it', async (t) => {
  const directory = new Fed();
  const mupdate = await ScratchMupdate.start(t, { directory, resend_rate: 500 });
  const client = await mupdate.client('mup-mail1');
  const all = Array.from({ length: 1200 }, (_, i) => `user.u${String(i).padStart(4, '0')}`);
  for (const name of [...all, 'user.zz', 'user.zz.gone', 'user.zz-late']) {
    await client.send('ACTIVATE', [name, 'mail1!default', 'old']);
  }
  const other = await mupdate.client('mup-mail1');
  await other.send('DELETE', ['user.zz.gone']);
  await other.logout();
  const follower = new Follower(mupdate);
  await until('it streams', () => directory.open.size === 1);
  await client.send('ACTIVATE', ['user.u1199', 'mail1!default', 'new']);
  await client.send('DELETE', ['user.u1198']);
  await follower.noop();
  const at = follower.lines.indexOf('OK streaming starts');
  const later = () => follower.lines.slice(at + 1).filter((line) => /^(MAILBOX|RESERVE|DELETE) /.test(line));
  assert.ok(later().includes('MAILBOX user.zz-late mail1!default old'), 'what may be lost comes before any change');
  assert.ok(later().includes('MAILBOX user.u1199 mail1!default new'), 'a change does not wait');
  assert.ok(!later().includes('MAILBOX user.u1100 mail1!default old'), 'the rest comes little by little');
  const told = () => new Set(later().map((line) => line.split(' ')[1]));
  await until('all rows have been sent once more', () => told().size >= all.length + 2, 20_000);
  const lines = later();
  assert.deepEqual(
    lines.filter((line) => / user\.u119[89]( |$)/.test(line)),
    ['MAILBOX user.u1199 mail1!default new', 'RESERVE user.u1198 mail1!default'],
  );
  assert.equal(lines.length, all.length + 2, 'each once');
  await client.logout();
});

test('whoever comes back at once is not told less than he has been told', async (t) => {
  const directory = new MemoryDirectory();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const client = await mupdate.client('mup-mail1');
  for (let round = 0; round < 5; round += 1) {
    const follower = new Follower(mupdate);
    await until('it streams', () => follower.streaming);
    await client.send('ACTIVATE', [`user.u${round}`, 'mail1!default', '']);
    await follower.noop();
    follower.socket.destroy();
    const again = new Follower(mupdate);
    await until('it streams again', () => again.streaming);
    const list = again.lines.slice(0, again.lines.indexOf('OK streaming starts'));
    assert.ok(list.includes(`MAILBOX user.u${round} mail1!default `), list.join('; '));
    again.socket.destroy();
  }
  await client.logout();
});

test('NOOP is answered after every change that was accepted before it', async (t) => {
  const directory = new Fed();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const follower = new Follower(mupdate);
  await until('it streams', () => directory.open.size === 1);
  const client = await mupdate.client('mup-mail1');
  directory.held = [];
  await client.send('RESERVE', ['user.a', 'mail1!default']);
  await client.send('ACTIVATE', ['user.a', 'mail1!default', 'acl']);
  follower.socket.write('N NOOP\r\n');
  // What another session is answered later shows that the NOOP was not answered early.
  for (let i = 0; i < 20; i += 1) await client.send('NOOP');
  assert.deepEqual(follower.told.changes, []);
  assert.ok(!follower.lines.includes('OK Noop done'));
  directory.letGo();
  await until('the NOOP is answered', () => follower.lines.includes('OK Noop done'));
  assert.deepEqual(follower.told.changes, ['RESERVE user.a mail1!default', 'MAILBOX user.a mail1!default acl']);
});

test('a stream whose change log is lost is closed without a line', async (t) => {
  const directory = new Fed();
  const mupdate = await ScratchMupdate.start(t, { directory });
  const follower = new Follower(mupdate);
  await until('it streams', () => directory.open.size === 1);
  follower.socket.write('N NOOP\r\n');
  await until('the NOOP is answered', () => follower.lines.includes('OK Noop done'));
  const closed = once(follower.socket, 'close');
  for (const listener of directory.open) listener.lost('trimmed');
  await closed;
  assert.equal(follower.lines.at(-1), 'OK Noop done');
  assert.equal(directory.open.size, 0);
});

const largeAcl = 'x'.repeat(50_000);

async function fill(mupdate: ScratchMupdate, from: number, count: number): Promise<void> {
  const client = await mupdate.client('mup-mail1');
  for (let i = from; i < from + count; i += 1) {
    const { status } = await client.send('ACTIVATE', [`user.u${i}`, 'mail1!default', largeAcl]);
    assert.equal(status, 'OK');
  }
  await client.logout();
}

test('a follower that stops reading is kept waiting in bounded memory, and misses nothing when it reads again', async (t) => {
  const directory = new Fed();
  const mupdate = await ScratchMupdate.start(t, { directory, output_limit: 100_000 });
  const follower = new Follower(mupdate);
  await until('it streams', () => directory.open.size === 1);
  follower.socket.pause();
  await fill(mupdate, 0, 400);
  // 20 MB were written; the server has left the change log instead of keeping them.
  assert.equal(directory.open.size, 0);
  follower.socket.resume();
  await until('it has everything', () => follower.told.changes.length === 400);
  assert.deepEqual(
    follower.told.changes.map((line) => line.split(' ')[1]),
    Array.from({ length: 400 }, (_, i) => `user.u${i}`),
  );
  await follower.noop();
  assert.equal(directory.open.size, 1);
});

test('clients that never read are cut, with a log line, and no other session notices', async (t) => {
  const directory = new Fed();
  // Long enough for the one that does read, on a machine that has much else to do.
  const mupdate = await ScratchMupdate.start(t, { directory, output_limit: 100_000, stall_timeout: 2000 });
  await fill(mupdate, 0, 200);
  const plain = Buffer.from('\0mup-frontend\0muppw').toString('base64');
  const cut = ['U UPDATE\r\n', 'L LIST\r\n', 'F FIND "user.u1"\r\n'.repeat(500)].map((commands) => {
    const socket = mupdate.connect().pause();
    socket.on('error', () => undefined);
    socket.write(`A AUTHENTICATE "PLAIN" "${plain}"\r\n${commands}`);
    return socket;
  });
  const streaming = new Follower(mupdate);
  await until('it streams', () => streaming.streaming);
  const stalled = () =>
    mupdate.logged.filter((line) => line === 'warn mupdate: client has not read for 2000 ms').length;
  await until('all three are cut', () => stalled() === 3);
  await fill(mupdate, 200, 2);
  await until('the other follower has it', () => streaming.told.changes.length === 2);
  await until('only it is left', () => mupdate.server.sessions.streaming === 1);
  for (const socket of cut) socket.destroy();
});

test('a client that asks for NOOP in its stream and never reads is forgotten when it is cut', async (t) => {
  const directory = new Fed();
  const mupdate = await ScratchMupdate.start(t, { directory, output_limit: 100_000, stall_timeout: 1000 });
  const follower = new Follower(mupdate);
  await until('it streams', () => directory.open.size === 1);
  follower.socket.pause();
  for (let at = 0; directory.open.size === 1; at += 20) await fill(mupdate, at, 20);
  follower.socket.write('N NOOP\r\n');
  await until('nothing is left of it', () => mupdate.server.sessions.streaming === 0);
  assert.ok(mupdate.logged.includes('warn mupdate: client has not read for 1000 ms'));
  follower.socket.destroy();
});
