// A Redis that comes back with less than it had, or with something else: recognised at once, also by readers that are idle;
// never told as deletions; and nobody is unknown until the backends, or an operator, have spoken again.
import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Change } from '../../services/directory/directory.ts';
import { finding } from '../../services/directory/freshness.ts';
import type { Finding } from '../../services/directory/freshness.ts';
import { ChainWatch } from '../../services/directory/redis/chain-watch.ts';
import type { Place } from '../../services/directory/redis/chain-watch.ts';
import { placementProcessor } from '../../workers/placement.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import type { ScratchDirectory } from '../harness/directory.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { quietDesk } from '../harness/events.ts';
import { Town, worker } from '../harness/town.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
beforeEach(async () => {
  redis = await startRedis({ appendfsync: 'always' });
});
afterEach(() => redis.stop());

const mail1 = { session: 't-1', server: 'mail1', admin: false, push: false };

interface Opened extends ScratchDirectory {
  losses: string[];
  places: () => readonly Place[];
}

async function open(t: TestContext, remembered?: readonly Place[]): Promise<Opened> {
  const losses: string[] = [];
  let places: readonly Place[] = [];
  const scratch = await openScratchDirectory(redis.socket, {
    ...(remembered && { remembered }),
    remember: (latest) => (places = latest),
    onLoss: (loss) => losses.push(loss),
  });
  t.after(() => scratch.close());
  return { ...scratch, losses, places: () => places };
}

/** A directory with `count` users at mail1 that trusts itself. */
async function filled(t: TestContext, count = 5): Promise<Opened> {
  const opened = await open(t);
  for (let i = 0; i < count; i += 1) await create(opened, `user.u${i}`);
  await opened.directory.heard('mail1', ['mail1'], Date.now());
  assert.deepEqual(await unknown(opened), { found: false, proven: true });
  return opened;
}

async function create({ directory }: ScratchDirectory, name: string): Promise<void> {
  const answer = await directory.write({ verb: 'ACTIVATE', name, location: 'mail1!default', acl: '' }, mail1);
  assert.ok(answer.ok, answer.text);
}

const onlyPushing = { pushing: ['mail1'], silent: [] };

async function unknown(
  { directory }: ScratchDirectory,
  witnesses: { pushing: string[]; silent: string[] } = onlyPushing,
): Promise<Finding> {
  const asked = Date.now();
  const lookup = await directory.lookup(['user.nobody']).catch(() => undefined);
  return finding({ names: ['user.nobody'], lookup, witnesses, asked, now: Date.now(), autocreate: false });
}

function unproven(found: Finding): string {
  assert.ok(!found.found && !found.proven, JSON.stringify(found));
  return found.reason;
}

/** A copy of what Redis has on disk. */
async function dump(): Promise<string> {
  await redisSays(redis.socket, 'WAIT 0 0');
  const copy = join(redis.dataFolder, 'copy');
  await cp(join(redis.dataFolder, 'redis', 'appendonlydir'), copy, { recursive: true });
  return copy;
}

async function restoreFrom(copy: string | undefined): Promise<void> {
  await redis.kill9();
  const place = join(redis.dataFolder, 'redis', 'appendonlydir');
  await rm(place, { recursive: true });
  if (copy !== undefined) await cp(copy, place, { recursive: true });
  await redis.restart();
}

test('wiped under an open connection: seen by the next read, and by idle processes', async (t) => {
  const busy = await filled(t);
  const idle = await open(t);
  const before = (await busy.directory.standing()).epoch;
  await redisSays(redis.socket, 'FLUSHALL');
  assert.match(unproven(await unknown(busy)), /epoch has changed|lost|history/);
  await until('an idle process, or the other, has seen it', () => busy.losses.length + idle.losses.length > 0);
  await until('a new epoch', async () => (await busy.directory.standing()).epoch > before);
  assert.equal(busy.losses.length + idle.losses.length, 1, 'one of them began the new epoch');
  assert.match([...busy.losses, ...idle.losses][0] ?? '', /the directory is gone; it was at change 5/);
  await until('both are sure of the new one', async () =>
    [await unknown(busy), await unknown(idle)].every((found) => unproven(found).includes('not heard from mail1')),
  );
  assert.match((await idle.directory.standing()).lost ?? '', /it was at change 5/);
});

test('restarted from an old dump: nothing is proven from the first read on, and nobody streams a deletion', async (t) => {
  const opened = await filled(t);
  const old = await dump();
  await create(opened, 'user.late');
  const changes: Change[] = [];
  const lost: string[] = [];
  opened.directory.follow(await opened.directory.head(), {
    change: (change) => void changes.push(change),
    lost: (reason) => void lost.push(reason),
  });
  const mupdate = await ScratchMupdate.start(t, { directory: opened.directory });
  const follower = await mupdate.client('mup-frontend');
  const streamed: string[] = [];
  await follower.send('UPDATE', [], ({ state, name }) => streamed.push(`${state} ${name}`));
  await until('its list is there twice', () => streamed.length === 12);
  await restoreFrom(old);
  // The mailbox lives at its backend: at no moment may it be unknown for sure.
  for (let i = 0; i < 200 && opened.losses.length === 0; i += 1) {
    const lookup = await opened.directory.lookup(['user.late']).catch(() => undefined);
    const facts = { names: ['user.late'], witnesses: onlyPushing, autocreate: false };
    const found = finding({ ...facts, lookup, asked: lookup?.begun ?? 0, now: Date.now() });
    assert.ok(found.found || !found.proven, JSON.stringify(lookup));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.match(opened.losses[0] ?? '', /the log ends at change 5, and was at 6/);
  await until('the feed has ended', () => lost.length === 1);
  await follower.closed;
  assert.deepEqual([changes, streamed.slice(12)], [[], []]);
  assert.match(unproven(await unknown(opened)), /data were lost .*not heard from mail1/);
  // The push of the backend brings the lost row back, and with it the trust.
  await create(opened, 'user.late');
  await opened.directory.heard('mail1', ['mail1'], Date.now());
  assert.deepEqual(await unknown(opened), { found: false, proven: true });
});

test('restarted from an old dump: a deletion that was ordered before is not done to a new user of the name', async (t) => {
  const opened = await filled(t);
  const town = new Town(1);
  town.has.get('mail1')?.add('user.u1');
  town.place('user.u1', { is: 'delete' }, { since: Date.now() });
  const old = await dump();
  await create(opened, 'user.late');
  await restoreFrom(old);
  const options = { ...worker(town, 0), directory: opened.directory };
  await until('the loss is seen', () => opened.losses.length === 1);
  const look = placementProcessor(options)({ name: 'user.u1' }, new AbortController().signal, quietDesk);
  await assert.rejects(look, { kind: 'refused', message: /ordered before data were lost/ });
  assert.deepEqual(town.holders('user.u1'), ['mail1']);
});

test('replaced by an empty one', async (t) => {
  const opened = await filled(t);
  await restoreFrom(undefined);
  await until('seen', () => opened.losses.length === 1);
  assert.match(unproven(await unknown(opened)), /not heard from mail1/);
});

test('an old dump that has gone on: another history, though a longer one', async (t) => {
  const opened = await filled(t);
  const old = await dump();
  await create(opened, 'user.late');
  await restoreFrom(old);
  // Somebody who knows nothing of it writes on, before the one who knows has looked.
  const other = await openScratchDirectory(redis.socket);
  for (let i = 0; i < 5; i += 1) await create(other, `user.other${i}`);
  await other.close();
  await until('seen', () => opened.losses.length === 1);
  assert.match(opened.losses[0] ?? '', /change 6 is another than it was|the log ends at change 5/);
  assert.match(unproven(await unknown(opened)), /not heard from mail1/);
});

test('writes to a Redis that has lost one change, before anybody has looked, do not hide the loss', async (t) => {
  const opened = await filled(t);
  const old = await dump();
  await create(opened, 'user.late');
  await restoreFrom(old);
  // As fast as the connection is back, and faster than the comparison.
  let written = 0;
  while (written < 20 && opened.losses.length === 0) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        await create(opened, `user.new${written}.${i}`).then(
          () => (written += 1),
          () => new Promise((resolve) => setTimeout(resolve, 1)),
        );
      }),
    );
  }
  await until('seen', () => opened.losses.length === 1);
  assert.match(unproven(await unknown(opened)), /not heard from mail1/);
});

test('what is seen on a connection that is not compared yet does not count as known', async (t) => {
  const { redis: commands } = await filled(t);
  const ignore = () => undefined;
  const watch = new ChainWatch({ redis: commands, shards: 1, onLoss: ignore, onError: ignore });
  t.after(() => {
    watch.close();
  });
  watch.saw(0, { seq: 7, nonce: 'x' });
  assert.equal(watch.known(0), undefined);
  await watch.begin();
  assert.equal(watch.known(0)?.seq, 5);
  commands.emit('close');
  watch.saw(0, { seq: 6, nonce: 'x' });
  assert.equal(watch.known(0)?.seq, 5);
  await watch.verify();
  watch.saw(0, { seq: 6, nonce: 'x' });
  assert.equal(watch.known(0)?.seq, 6);
});

test('a process that starts later remembers, and an installation whose backends push nothing needs a word', async (t) => {
  const opened = await filled(t);
  await until('it has been told what to remember', () => opened.places()[0]?.seq === 5);
  const places = opened.places();
  await opened.directory.close();
  await redisSays(redis.socket, 'FLUSHALL');
  const next = await open(t, places);
  assert.match(next.losses[0] ?? '', /the directory is gone; it was at change 5/);
  await create(next, 'user.first');
  const silent = { pushing: [], silent: ['mail9'] };
  assert.match(unproven(await unknown(next, silent)), /data were lost .*mail9 can't tell again/);
  await next.directory.vouch('operator');
  assert.deepEqual(await unknown(next, silent), { found: false, proven: true });
});

test('the same Redis after a crash is the same directory', async (t) => {
  const opened = await filled(t);
  await redis.kill9();
  await redis.restart();
  await until('proven again', async () => {
    const found = await unknown(opened);
    return !found.found && found.proven;
  });
  assert.deepEqual(opened.losses, []);
});

test('a replica proves nothing', async (t) => {
  const primary = await startRedis();
  t.after(() => primary.stop());
  const opened = await filled(t);
  await redisSays(redis.socket, `REPLICAOF ${primary.socket} 0`);
  await until('its role is seen', async () => {
    const found = await unknown(opened);
    return !found.found && !found.proven && /replica/.test(found.reason);
  });
});
