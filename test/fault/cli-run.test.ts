// `rookery up` and `rookery run` as a supervisor sees them: ready, healthy, gone when asked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Rookery } from '../harness/rookery.ts';

const anyPort = { host: '127.0.0.1', port: 0 };
const config = { directory: { listen: [anyPort] }, lmtp: { listen: [anyPort] }, api: { listen: anyPort } };

test('up is ready, healthy, and ends cleanly on SIGTERM', async (t) => {
  const rookery = await Rookery.layOut(config);
  t.after(() => rookery.stop());
  await rookery.start('up');
  const { host, port } = rookery.address('HTTP');
  const ready = await fetch(`http://${host}:${port}/readyz`);
  assert.equal(ready.status, 200, await ready.text());
  const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
  assert.match(metrics, /^rookery_lmtp_sessions 0$/m);
  assert.equal(await rookery.end('SIGTERM'), 0);
});

test('an address that is taken is 69, in one line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const rookery = await Rookery.layOut({ lmtp: { listen: [{ host: '127.0.0.1', port }] }, log: { level: 'silent' } });
  t.after(() => rookery.stop());
  const { code, err } = await rookery.command('run', 'lmtp');
  assert.equal(code, 69);
  assert.match(err, new RegExp(`^rookery: could not start: lmtp\\.listen: 127\\.0\\.0\\.1:${port} is taken: .*\\n$`));
});

test('a data folder that can not be made is 78, and names the key', async (t) => {
  const rookery = await Rookery.layOut({ data: '/proc/rookery/data', log: { level: 'silent' } });
  t.after(() => rookery.stop());
  const { code, err } = await rookery.command('up');
  assert.equal(code, 78);
  assert.match(err, /^The configuration is refused:\n {2}data is \/proc\/rookery\/data; it may be a folder .*\n$/);
});
