// The directory on a real Redis: large trees, many shards, readers that never miss a change, and a Redis that goes away.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { finding } from '../../services/directory/freshness.ts';
import type { Change, Directory, Position, Verb, Writer } from '../../services/directory/directory.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import type { ScratchDirectory } from '../harness/directory.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

const mail1: Writer = { session: 't-1', server: 'mail1', admin: false, push: false };

let redis: ScratchRedis;
const opened: ScratchDirectory[] = [];

async function open(options: Parameters<typeof openScratchDirectory>[1] = {}): Promise<ScratchDirectory> {
  const scratch = await openScratchDirectory(redis.socket, options);
  opened.push(scratch);
  return scratch;
}

before(async () => {
  redis = await startRedis();
});
after(async () => {
  for (const scratch of opened) await scratch.close();
  await redis.stop();
});
beforeEach(async () => {
  // One that is open still would see the flush for the loss of data that it is.
  for (const scratch of opened.splice(0)) await scratch.close();
  await redisSays(redis.socket, 'FLUSHALL');
});

function unexpected(reason: string): void {
  throw new Error(reason);
}

function send(directory: Directory, verb: Verb, name: string, location = 'mail1!default', acl = 'x\tlrs\t') {
  const write = { verb, name, location: verb === 'DELETE' ? '' : location, acl: verb === 'ACTIVATE' ? acl : '' };
  return directory.write(write, mail1);
}

/** Many at once, but no more than a busy machine answers in time. */
async function sendAll(directory: Directory, verb: Verb, names: readonly string[]): Promise<void> {
  for (let at = 0; at < names.length; at += 500)
    await Promise.all(names.slice(at, at + 500).map((name) => send(directory, verb, name)));
}

test('a shared tree is split as it grows, and every row is found again', async () => {
  const { directory, redis: commands } = await open();
  const names = Array.from({ length: 3000 }, (_, i) => `news.group${i}`);
  await sendAll(directory, 'ACTIVATE', names);
  assert.ok(Number(await commands.hget('rookery:{d0}:buckets', 'news')) > 4);
  const sizes = await Promise.all((await commands.keys('rookery:{d0}:*news')).map((key) => commands.hlen(key)));
  assert.ok(Math.max(...sizes) <= 1024, `largest bucket ${Math.max(...sizes)}`);
  assert.equal((await directory.tree('news')).length, 3000);
  const { entries } = await directory.lookup(names);
  assert.deepEqual(
    entries.map((entry) => entry?.name),
    names,
  );
  assert.equal((await directory.list('mail1!')).length, 3000);
  await sendAll(directory, 'DELETE', names);
  assert.deepEqual(await directory.end(mail1.session, 'logout'), { restored: [], rung: [] });
  assert.deepEqual(await commands.keys('rookery:{d0}:tree:*'), []);
  assert.deepEqual(await commands.keys('rookery:{d0}:bucket*'), [], 'nothing is left of the tree');
  assert.deepEqual(await commands.keys('rookery:{d0}:server*'), [], 'nor of its server');
  assert.deepEqual((await directory.snapshot()).entries, []);
});

test('sixteen shards answer as one', async () => {
  const { directory: sharded } = await open({ shards: 16 });
  const names = Array.from({ length: 200 }, (_, i) => `user.u${String(i).padStart(3, '0')}`);
  for (const name of names) await send(sharded, 'ACTIVATE', name);
  assert.deepEqual(
    (await sharded.snapshot()).entries.map((entry) => entry.name),
    names,
  );
  assert.deepEqual(
    (await sharded.list('mail1!')).map((entry) => entry.name),
    names,
  );
  assert.equal((await sharded.lookup(names)).entries.filter(Boolean).length, 200);
  await sharded.heard('mail1', ['mail1'], Date.now());
  assert.deepEqual((await sharded.lookup(names)).standing.heard, ['mail1']);
  const heads = await sharded.head();
  assert.equal(heads.length, 16);
  assert.equal(
    heads.reduce((sum, { seq }) => sum + seq, 0),
    200,
  );
  await assert.rejects(openScratchDirectory(redis.socket, { shards: 1 }), /made with 16 shards, .* asks for 1/);
});

test('a follower sees every change once and in order, from any point, while writes go on', async () => {
  const { directory } = await open();
  const writing = (async () => {
    for (let i = 0; i < 400; i++)
      await send(directory, i % 3 === 2 ? 'DELETE' : 'ACTIVATE', `user.u${i % 20}`, `mail1!p${i}`);
  })();
  const feeds = [];
  for (let i = 0; i < 8; i++) {
    const { entries, at } = await directory.snapshot();
    const rows = new Map(entries.map((entry) => [entry.name, entry.location]));
    const seen: Change[] = [];
    const change = (one: Change) => {
      seen.push(one);
      if (one.state === 'absent') rows.delete(one.name);
      else rows.set(one.name, one.location);
    };
    const start = at[0]?.seq ?? 0;
    feeds.push({ feed: directory.follow(at, { change, lost: unexpected }), seen, rows, start });
  }
  await writing;
  const head = await directory.head();
  const final = new Map((await directory.snapshot()).entries.map((entry) => [entry.name, entry.location]));
  for (const { feed, seen, rows, start } of feeds) {
    await feed.reached(head);
    assert.deepEqual(
      seen.map((one) => one.seq),
      Array.from({ length: (head[0]?.seq ?? 0) - start }, (_, i) => start + 1 + i),
    );
    assert.deepEqual(new Map([...rows].sort()), new Map([...final].sort()));
    feed.close();
  }
});

test('a follower whose log was trimmed past it is told so, and a fresh snapshot serves', async () => {
  const { directory } = await open({ changeLogLength: 100 });
  await send(directory, 'ACTIVATE', 'user.a', 'mail1!p');
  const [first = { seq: 0, nonce: '' }] = await directory.head();
  for (let i = 1; i < 600; i++) await send(directory, 'ACTIVATE', 'user.a', `mail1!p${i}`);
  const lost = await new Promise<string>((resolve) => {
    directory.follow([first], {
      change: () => {
        unexpected('a gap was passed over');
      },
      lost: resolve,
    });
  });
  assert.match(lost, /change log of shard 0|gone from the log/);
  assert.equal((await directory.snapshot()).at[0]?.seq, 600);
});

test('data lost in Redis end every feed, also an idle one, and are never seen as deletions', async () => {
  const { directory, redis: commands } = await open();
  await send(directory, 'ACTIVATE', 'user.a');
  const changes: Change[] = [];
  const lost = new Promise<string>((resolve) => {
    directory.follow([], { change: (change) => changes.push(change), lost: resolve });
  });
  while (changes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await commands.flushall();
  assert.match(await lost, /data were lost/);
  assert.deepEqual(
    changes.map((change) => change.state),
    ['active'],
  );
});

test('a change that does not follow from the last one seen, or a place beyond the log, ends the feed', async () => {
  const { directory, redis: commands } = await open();
  await send(directory, 'ACTIVATE', 'user.a');
  const follow = (at: Position) =>
    new Promise<string>((lost) => directory.follow(at, { change: () => undefined, lost }));
  assert.match(await follow([{ seq: 99, nonce: 'x' }]), /ends at 1, before 99/);
  assert.match(await follow([{ seq: 1, nonce: 'x' }]), /change 1 is another than it was/);
  const lost = follow(await directory.head());
  // Another history of the same length, as after a restore.
  await commands.hset('rookery:{d0}:head', 'nonce', 'another');
  await send(directory, 'ACTIVATE', 'user.b');
  assert.match(await lost, /another than it was|data were lost/);
});

test('while Redis is away writes and reads fail soon, and a feed goes on when it is back', async () => {
  const { directory } = await open();
  await send(directory, 'ACTIVATE', 'user.a');
  const changes: string[] = [];
  const feed = directory.follow(await directory.head(), {
    change: (change) => changes.push(change.location),
    lost: (reason) => changes.push(reason),
  });
  await redis.kill9();
  await assert.rejects(send(directory, 'ACTIVATE', 'user.a', 'mail1!x'));
  await assert.rejects(directory.lookup(['user.a']));
  await redis.restart();
  const again = await open();
  await send(again.directory, 'ACTIVATE', 'user.a', 'mail1!back');
  const goal = await again.directory.head();
  await feed.reached(goal);
  assert.deepEqual(changes, ['mail1!back']);
  feed.close();
});

test('what nobody ever wrote to proves no absence, unless an operator vouches for it', async () => {
  const { directory } = await open();
  const proof = async () => {
    const lookup = await directory.lookup(['user.nobody']);
    const witnesses = { pushing: [], silent: ['mail9'] };
    const times = { asked: lookup.begun, now: lookup.begun, autocreate: false };
    return finding({ names: ['user.nobody'], lookup, witnesses, ...times });
  };
  assert.deepEqual(await proof(), {
    ...{ found: false, proven: false, reason: 'directory not trusted: nothing was ever written to it' },
  });
  await directory.vouch('operator');
  assert.deepEqual(await proof(), { found: false, proven: true });
});
