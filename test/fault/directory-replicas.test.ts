// A write that the replicas do not have in time is undone and refused: OK means that it is safe, NO that nothing happened.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Directory, Verb } from '../../services/directory/directory.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';
import { redisSays, startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A Redis, a replica of it, and a directory on the first that wants each write on the second. */
async function replicated(t: TestContext): Promise<{ directory: Directory; replica: ScratchRedis }> {
  const [primary, replica] = await Promise.all([startRedis(), startRedis()]);
  t.after(async () => {
    // One that is stopped does not hear that it is to end, and its primary waits for it.
    await Promise.all([primary.kill9(), replica.kill9()]);
    await Promise.all([primary.stop(), replica.stop()]);
  });
  const port = await freePort();
  await redisSays(primary.socket, 'CONFIG SET bind 127.0.0.1');
  await redisSays(primary.socket, `CONFIG SET port ${port}`);
  await redisSays(replica.socket, `REPLICAOF 127.0.0.1 ${port}`);
  await until('it replicates', async () =>
    (await redisSays(replica.socket, 'INFO replication')).includes('master_link_status:up'),
  );
  const place = { socket: primary.socket };
  const connection = commandConnection({ place, commandTimeout: 5000, onError: () => undefined });
  await connected(connection, 5000);
  const acknowledge = { replicas: 1, timeout: 300, connection };
  const scratch = await openScratchDirectory(primary.socket, { acknowledge });
  t.after(() => scratch.close());
  return { directory: scratch.directory, replica };
}

const writer = { session: 't-1', server: 'mail1', admin: false, push: false, by: 'mail1' };

test('what the replica does not have in time is refused and undone, and goes on when it is back', async (t) => {
  const { directory, replica } = await replicated(t);
  const send = async (verb: Verb, name: string, acl = ''): Promise<string> => {
    const { ok, text } = await directory.write({ verb, name, location: 'mail1!default', acl }, writer);
    return ok ? 'OK' : text;
  };
  const rows = async (): Promise<string[]> =>
    (await directory.list('')).map(({ name, state, acl }) => `${name} ${state} ${acl}`);
  assert.equal(await send('ACTIVATE', 'user.a', 'a lrs'), 'OK');
  assert.equal(await send('RESERVE', 'user.half'), 'OK');
  const before = await rows();

  process.kill(replica.pid ?? 0, 'SIGSTOP');
  for (const [verb, name, acl] of [
    ['ACTIVATE', 'user.new', ''],
    ['ACTIVATE', 'user.a', 'a lrswip'],
    ['DELETE', 'user.a', ''],
    ['DEACTIVATE', 'user.a', ''],
    ['DELETE', 'user.half', ''],
  ] as const) {
    assert.equal(await send(verb, name, acl), 'not enough replicas have it', verb);
    assert.deepEqual(await rows(), before, `after ${verb} ${name}`);
  }
  const many = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => send('ACTIVATE', `user.m${i}`)));
  assert.deepEqual(new Set(many), new Set(['not enough replicas have it']), 'one wait is shared by many');
  assert.deepEqual(await rows(), before);
  // Also what changes nothing confirms something, and only what is safe may be confirmed.
  assert.equal(await send('ACTIVATE', 'user.a', 'a lrs'), 'not enough replicas have it');
  const [last] = await directory.history('user.a', 1);
  assert.deepEqual([last?.cause, last?.by, last?.state], ['undo', 'mail1', 'active']);

  process.kill(replica.pid ?? 0, 'SIGCONT');
  await until('writes are taken again', async () => (await send('ACTIVATE', 'user.new')) === 'OK');
  // What the session left pending before is pending still, and what it has activated.
  assert.deepEqual(await directory.end(writer.session, 'cut'), {
    restored: [],
    rung: ['user.a', 'user.half', 'user.new'],
  });
});

/** A MUPDATE server over a replicated directory in which mail1 holds user.alice, and the replica, about to be stopped. */
async function served(t: TestContext) {
  const { directory, replica } = await replicated(t);
  const mupdate = await ScratchMupdate.start(t, { directory });
  const backend = await mupdate.client('mup-mail1');
  assert.equal((await backend.send('ACTIVATE', ['user.alice', 'mail1!default', ''])).status, 'OK');
  const stopReplica = () => process.kill(replica.pid ?? 0, 'SIGSTOP');
  return { directory, mupdate, backend, stopReplica };
}

test('a RENAME that is refused for want of replicas puts the old name back', async (t) => {
  const { directory, backend, stopReplica } = await served(t);
  assert.equal((await backend.send('DELETE', ['user.alice'])).status, 'OK');
  stopReplica();
  assert.equal((await backend.send('RESERVE', ['user.alicia', 'mail1!'])).status, 'NO');
  await backend.logout();
  await until('put back', async () => (await directory.list('mail1!'))[0]?.state === 'active');
  assert.equal((await directory.list('mail1!'))[0]?.name, 'user.alice');
});

test('a push in which something was refused for want of replicas tells nothing', async (t) => {
  const { directory, mupdate, stopReplica } = await served(t);
  const push = await mupdate.client('mup-mail1');
  await push.send('LIST', ['mail1!']);
  await push.send('FIND', ['user.bob']);
  stopReplica();
  assert.equal((await push.send('ACTIVATE', ['user.bob', 'mail1!default', ''])).status, 'NO');
  await push.logout();
  assert.deepEqual((await directory.standing()).heard, []);
  assert.ok((await directory.lookup(['user.bob'])).concerns[0], 'and its mailbox is in doubt');
});

test('of two writes of one name that are both taken back, nothing is left behind', async (t) => {
  const { directory, mupdate, backend, stopReplica } = await served(t);
  const other = await mupdate.client('mup-mail1');
  stopReplica();
  const answers = [
    backend.send('DELETE', ['user.alice']),
    other.send('ACTIVATE', ['user.alice', 'mail1!default', 'x\tlrs\t']),
  ];
  assert.deepEqual(
    (await Promise.all(answers)).map(({ status }) => status),
    ['NO', 'NO'],
  );
  await Promise.all([backend.logout(), other.logout()]);
  await until('it is there', async () => (await directory.list('mail1!'))[0]?.state === 'active');
  assert.ok(await directory.case('user.alice'), 'and looked into');
});
