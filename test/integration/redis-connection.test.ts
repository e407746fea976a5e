// Connections to a Redis that vanishes without closing anything, as a host does that loses its power.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { blockingConnection, commandConnection, connected } from '../../services/redis/connection.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { until } from '../harness/until.ts';

let redis: ScratchRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

/** A TCP relay to the Redis, each connection of which can be made to pass nothing on any more. */
async function relay(test: { after(end: () => void): void }) {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(redis.socket);
    sockets.push(near, far);
    near.on('error', () => undefined).on('close', () => far.destroy());
    far.on('error', () => undefined).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence: () => {
      for (const socket of sockets) socket.unpipe().on('data', () => undefined);
    },
  };
}

test('commands fail in time, and go over a new connection soon after', async (t) => {
  const { url, silence } = await relay(t);
  const commands = commandConnection({ place: { url }, commandTimeout: 200, onError: () => undefined });
  t.after(() => {
    commands.disconnect();
  });
  await connected(commands, 5000);
  silence();
  await assert.rejects(commands.ping(), /timed out/i);
  await until('it answers again', () => commands.ping().then(Boolean, () => false));
});

test('a blocking reader goes on over a new connection', async (t) => {
  const { url, silence } = await relay(t);
  const reader = blockingConnection({ place: { url }, commandTimeout: 100, onError: () => undefined });
  t.after(() => {
    reader.disconnect();
  });
  await connected(reader, 5000);
  // Silence that was asked for is none.
  assert.equal(await reader.xread('BLOCK', 300, 'STREAMS', 'none', '$'), null);
  silence();
  await assert.rejects(Promise.resolve(reader.xread('BLOCK', 300, 'STREAMS', 'none', '$')));
  await until('it answers again', () => reader.ping().then(Boolean, () => false));
});
