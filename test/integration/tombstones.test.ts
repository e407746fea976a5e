// Deletions that may be undone: Cyrus' RENAME is DELETE, RESERVE, ACTIVATE, and what it hears decides what the name is.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Change, Directory } from '../../services/directory/directory.ts';
import { reasons } from '../../services/directory/case.ts';
import { policyOf } from '../../services/directory/rules.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import type { ScratchDirectory } from '../harness/directory.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
let now = 1_000_000;

before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());
beforeEach(async () => {
  await redisSays(redis.socket, 'FLUSHALL');
});

async function scratch(t: TestContext, shards = 1): Promise<ScratchDirectory> {
  const policy = policyOf('strict', { reservationMaxAge: 3_600_000, reservationGrace: 60_000, tombstoneGrace: 60_000 });
  const opened = await openScratchDirectory(redis.socket, { policy, shards, clock: () => now });
  t.after(() => opened.close());
  return opened;
}

async function master(t: TestContext, shards = 1): Promise<ScratchMupdate> {
  const { directory } = await scratch(t, shards);
  return ScratchMupdate.start(t, { directory });
}

async function stateOf(directory: Directory, name: string): Promise<string> {
  return (await directory.lookup([name])).entries[0]?.state ?? 'absent';
}

/** `user.old` lives at mail1, `user.taken` at mail2. */
async function populated(t: TestContext, shards = 1): Promise<ScratchMupdate> {
  const scratch = await master(t, shards);
  const operator = await scratch.client('mup-extra');
  await operator.send('ACTIVATE', ['user.old', 'mail1!default', 'old\tlrs\t']);
  await operator.send('ACTIVATE', ['user.taken', 'mail2!default', 'taken\tlrs\t']);
  await operator.logout();
  return scratch;
}

for (const shards of [1, 16]) {
  test(`a RENAME that is refused leaves the old mailbox where it was (${shards} shards)`, async (t) => {
    const { directory, client, rings } = hold(await populated(t, shards));
    const backend = await client('mup-mail1');
    assert.equal((await backend.send('DELETE', ['user.old'])).status, 'OK');
    assert.equal(await stateOf(directory, 'user.old'), 'tombstone');
    assert.equal((await backend.send('RESERVE', ['user.taken', 'mail1!'])).status, 'NO');
    const [entry] = (await directory.lookup(['user.old'])).entries;
    assert.deepEqual([entry?.state, entry?.location, entry?.acl], ['active', 'mail1!default', 'old\tlrs\t']);
    assert.match(rings[0]?.reason ?? '', /put back/);
    await backend.logout();
    assert.equal(await stateOf(directory, 'user.old'), 'active');
  });
}

test('a RENAME that is granted makes the old name absent, after a while', async (t) => {
  const { directory, client } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('DELETE', ['user.old']);
  await backend.send('RESERVE', ['user.new', 'mail1!']);
  await backend.send('ACTIVATE', ['user.new', 'mail1!', 'old\tlrs\t']);
  assert.equal(await stateOf(directory, 'user.old'), 'tombstone');
  await backend.logout();
  assert.equal(await stateOf(directory, 'user.old'), 'tombstone', 'its grace is not over');
  assert.deepEqual(
    (await directory.list('')).map((row) => row.name),
    ['user.new', 'user.taken'],
  );
  now += 60_000;
  assert.equal(await stateOf(directory, 'user.old'), 'absent');
});

test('a connection that breaks puts back what it deleted, also after an accepted ACTIVATE', async (t) => {
  const { directory, client } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('DELETE', ['user.old']);
  await backend.send('RESERVE', ['user.new', 'mail1!']);
  await backend.send('ACTIVATE', ['user.new', 'mail1!', 'old\tlrs\t']);
  backend.destroy();
  await until('put back', async () => (await stateOf(directory, 'user.old')) === 'active');
  assert.equal(await stateOf(directory, 'user.new'), 'active');
});

test('a deleted name is kept from other servers while its session may still fail', async (t) => {
  const { directory, client } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('DELETE', ['user.old']);
  const other = await client('mup-mail2');
  assert.match((await other.send('RESERVE', ['user.old', 'mail2!default'])).text, /being deleted at mail1!default/);
  assert.equal((await other.send('ACTIVATE', ['user.old', 'mail2!default', ''])).status, 'NO');
  await backend.logout();
  assert.equal((await other.send('RESERVE', ['user.old', 'mail2!default'])).status, 'OK');
  await other.logout();
  assert.equal(await stateOf(directory, 'user.old'), 'created');
});

test('the refusal of another write of a push undoes nothing', async (t) => {
  const { directory, client } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('LIST', ['mail1!']);
  await backend.send('DELETE', ['user.old']);
  assert.equal((await backend.send('ACTIVATE', ['user.taken', 'mail1!default', ''])).status, 'NO');
  await backend.logout();
  now += 60_000;
  assert.equal(await stateOf(directory, 'user.old'), 'absent');
});

test('followers see a deletion as a reservation until it is sure', async (t) => {
  const { directory, client } = hold(await populated(t));
  const seen: string[] = [];
  const change = ({ name, state }: Change) => void seen.push(`${name} ${state}`);
  const feed = directory.follow(await directory.head(), { change, lost: (reason) => void seen.push(reason) });
  const backend = await client('mup-mail1');
  await backend.send('DELETE', ['user.old']);
  await backend.logout();
  await feed.reached(await directory.head());
  feed.close();
  assert.deepEqual(seen, ['user.old tombstone', 'user.old absent']);
});

test('a reservation that was never activated is open to others a minute after its session', async (t) => {
  const { client } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('RESERVE', ['user.half', 'mail1!default']);
  await backend.logout();
  const other = await client('mup-mail2');
  assert.equal((await other.send('RESERVE', ['user.half', 'mail2!default'])).status, 'NO');
  now += 60_001;
  assert.equal((await other.send('RESERVE', ['user.half', 'mail2!default'])).status, 'OK');
  await other.logout();
});

test('what a dead node left is put back by the next sweep, what a live one holds is not', async (t) => {
  const { directory, redis: commands } = await scratch(t);
  const dead = { session: 'node1-abc-7', server: 'mail1', admin: false, push: false };
  const live = { session: 'node2-def-9', server: 'mail1', admin: false, push: false };
  for (const node of ['node1-abc', 'node2-def']) await directory.sweep(node, () => true);
  for (const writer of [dead, live]) {
    const write = { name: `user.${writer.session}`, location: 'mail1!default', acl: '' };
    await directory.write({ verb: 'ACTIVATE', ...write }, writer);
    await directory.write({ verb: 'DELETE', name: write.name, location: '', acl: '' }, writer);
  }
  const putBack = async (node: string, live: boolean) => (await directory.sweep(node, () => live)).restored;
  assert.deepEqual(await putBack('node1-abc', false), ['user.node1-abc-7'], 'its own, which it does not know');
  assert.match((await directory.case('user.node1-abc-7'))?.reason ?? '', /put back/);
  await directory.write({ verb: 'DELETE', name: 'user.node1-abc-7', location: '', acl: '' }, dead);
  assert.deepEqual(await putBack('node2-def', true), [], 'node1 was alive a moment ago');
  await commands.hset('rookery:{d0}:nodes', 'node1-abc', '1');
  assert.deepEqual(await putBack('node2-def', true), ['user.node1-abc-7']);
  assert.equal(await stateOf(directory, 'user.node2-def-9'), 'tombstone');
});

test('a DELETE without an answer is a refusal: carried out later, it is put back also after LOGOUT', async (t) => {
  const { directory, client } = hold(await populated(t));
  const carriedOut = directory.write.bind(directory);
  directory.write = async (write, writer) => {
    await carriedOut(write, writer);
    throw new Error('no answer in time');
  };
  const backend = await client('mup-mail1');
  assert.equal((await backend.send('DELETE', ['user.old'])).status, 'NO');
  assert.equal(await stateOf(directory, 'user.old'), 'tombstone');
  await backend.logout();
  await until('put back', async () => (await stateOf(directory, 'user.old')) === 'active');
});

test('a session that deleted before it named a server speaks for the one it then names: what was of others is put back', async (t) => {
  const { directory, client, rings } = hold(await populated(t));
  const unbound = await client('shared');
  await unbound.send('DELETE', ['user.old']);
  await unbound.send('DELETE', ['user.taken']);
  assert.equal((await unbound.send('RESERVE', ['user.new', 'mail2!default'])).status, 'NO');
  assert.equal(await stateOf(directory, 'user.old'), 'active', 'of mail1, put back');
  assert.equal(await stateOf(directory, 'user.new'), 'absent');
  assert.deepEqual(
    rings.map(({ name }) => name),
    ['user.old', 'user.taken'],
  );
  assert.equal(await stateOf(directory, 'user.taken'), 'active', 'its own, too: the backend takes all of it back');
  assert.equal((await unbound.send('RESERVE', ['user.new', 'mail2!default'])).status, 'OK', 'it is bound now');
  await unbound.send('ACTIVATE', ['user.new', 'mail2!default', '']);
  await unbound.logout();
});

test('a session that is cut off may not have heard that something is active: somebody looks', async (t) => {
  const { directory, client, rings } = hold(await populated(t));
  const backend = await client('mup-mail1');
  await backend.send('RESERVE', ['user.new', 'mail1!default']);
  assert.equal((await backend.send('ACTIVATE', ['user.new', 'mail1!default', ''])).status, 'OK');
  backend.destroy();
  await until('a case is open', async () => (await directory.case('user.new')) !== undefined);
  assert.deepEqual(
    [(await directory.case('user.new'))?.reason, await stateOf(directory, 'user.new')],
    [reasons.unheard, 'active'],
  );
  assert.ok(rings.some(({ name }) => name === 'user.new'));
  const other = await client('mup-mail1');
  await other.send('ACTIVATE', ['user.other', 'mail1!default', '']);
  await other.logout();
  assert.equal(await directory.case('user.other'), undefined, 'whoever says LOGOUT has heard');
});

test('a deletion by a session that never names a server waits for a push or a probe; below DELETED. it does not', async (t) => {
  const { directory, client, rings } = hold(await populated(t));
  const operator = await client('mup-extra');
  await operator.send('ACTIVATE', ['DELETED.user.x.6B02FFAA', 'mail1!default', '']);
  await operator.logout();
  const expiring = await client('shared');
  await expiring.send('DELETE', ['user.old']);
  await expiring.send('DELETE', ['DELETED.user.x.6B02FFAA']);
  await expiring.logout();
  await until('it is settled', () => rings.length === 1);
  now += 3_600_000;
  assert.equal(await stateOf(directory, 'user.old'), 'tombstone', 'nobody has confirmed it');
  assert.equal(await stateOf(directory, 'DELETED.user.x.6B02FFAA'), 'absent');
  const taking = await client('mup-mail2');
  assert.equal((await taking.send('RESERVE', ['user.old', 'mail2!default'])).status, 'NO');
  await taking.logout();
  // The holder's push shows no such mailbox: it is gone.
  const push = await client('mup-mail1');
  now += 1;
  await push.send('LIST', ['mail1!']);
  await push.logout();
  await until('confirmed', async () => (await stateOf(directory, 'user.old')) === 'absent');
  assert.deepEqual(await directory.cases(), []);
});

/** The parts of a master that tests use, without `this`. */
function hold(scratch: ScratchMupdate) {
  return {
    directory: scratch.directory,
    rings: scratch.rings,
    client: (user: string) => scratch.client(user),
  };
}
