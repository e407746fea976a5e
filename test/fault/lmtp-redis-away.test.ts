// Mail while Redis hangs or is gone: known recipients are delivered, unknown ones put off at once, and nobody has to help after.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openScratchDirectory } from '../harness/directory.ts';
import { FakeBackend } from '../harness/lmtp-backend.ts';
import { Mta } from '../harness/lmtp-proxy.ts';
import { startRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };

interface Health {
  ready: boolean;
  checks: Record<string, string>;
  notes: Record<string, string>;
}

/** The program with a backend that has ann, bob and cas; ann and bob get mail, so that they are known. */
async function stand(t: TestContext) {
  const [redis, backend] = [await startRedis(), await new FakeBackend().listen()];
  const at = backend.address as { host: string; port: number };
  const rookery = await Rookery.layOut({
    redis: { url: redis.socket },
    backends: { mail1: { lmtp: at, mupdate: false } },
    directory: { redis_timeout: 1, routing_lease: 3 },
    ...{ lmtp: { listen: [anyPort] }, api: { listen: anyPort } },
  });
  const scratch = await openScratchDirectory(redis.socket);
  const writer = { session: 's', server: 'mail1', admin: false, push: true };
  for (const name of ['user.ann', 'user.bob', 'user.cas']) {
    await scratch.directory.write({ verb: 'ACTIVATE', name, location: 'mail1!default', acl: '' }, writer);
  }
  await scratch.close();
  await rookery.start('run', 'lmtp', 'api');
  t.after(async () => {
    await rookery.stop();
    await backend.close();
    await redis.stop();
  });
  const http = rookery.address('HTTP');
  const get = async (path: string) => fetch(`http://${http.host}:${http.port}${path}`);
  const health = async () => (await (await get('/readyz')).json()) as Health;
  const mta = await Mta.greet(rookery.address('LMTP'));
  const send = async (...users: string[]) => {
    const accepted = (await mta.envelope(users.map((user) => `<${user}>`))).map((said) => said.slice(0, 9));
    const taken = accepted.filter((said) => said.startsWith('250')).length;
    return { accepted, taken: taken === 0 ? [] : await mta.body('Subject: x\r\n\r\nx\r\n', taken) };
  };
  assert.equal((await send('ann', 'bob')).taken.length, 2);
  const holdsLease = async () => /^rookery_routing_lease_held [1-9]$/m.test(await (await get('/metrics')).text());
  return { redis, backend, rookery, send, health, holdsLease };
}

for (const how of ['hangs', 'is gone'] as const) {
  test(`Redis ${how}`, async (t) => {
    const { redis, backend, rookery, send, health, holdsLease } = await stand(t);
    const pid = redis.pid ?? 0;
    if (how === 'hangs') process.kill(pid, 'SIGSTOP');
    else await redis.kill9();
    const says = (text: RegExp) => rookery.log.some(({ msg }) => text.test(String(msg)));
    await until('it is seen', async () => {
      const { accepted } = await send('nobody');
      assert.deepEqual(accepted, ['451 4.4.3']);
      return says(/^directory: away; known recipients are delivered/);
    });
    await until('the lease has ended', async () => !(await holdsLease()));
    const { accepted, taken } = await send('ann', 'cas', 'nobody', 'bob');
    assert.deepEqual(accepted, ['250 2.1.5', '451 4.4.3', '451 4.4.3', '250 2.1.5']);
    assert.ok(taken.every((said) => said.startsWith('250')));
    assert.equal(backend.messages.length, 2);
    const { ready, checks, notes } = await health();
    assert.equal(ready, true, JSON.stringify(checks));
    assert.match(
      notes['directory'] ?? '',
      /^away for \d+ s: known recipients are delivered for \d+ s, others put off$/,
    );
    if (how === 'hangs') process.kill(pid, 'SIGCONT');
    else await redis.restart();
    await until('all are delivered again', async () => (await send('cas')).taken.length === 1, 30_000);
    await until('the lease is back', holdsLease, 30_000);
    assert.ok(says(/^directory: back$/));
    assert.equal((await health()).notes['directory'] ?? 'ok', 'ok');
  });
}
