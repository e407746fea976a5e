// What an operator is told when an address can't be listened at.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listenFailure } from '../../services/process/listen-failure.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-listen-'));
const first = createServer();
after(() => {
  first.close();
  rmSync(folder, { recursive: true });
});

async function failure(options: ListenOptions): Promise<unknown> {
  const [error] = (await once(createServer().listen(options), 'error').catch((reason: unknown) => [reason])) as [
    unknown,
  ];
  return listenFailure('lmtp', error);
}

test('a taken port is named with its key', async () => {
  await once(first.listen(0, '127.0.0.1'), 'listening');
  const { port } = first.address() as AddressInfo;
  const error = await failure({ host: '127.0.0.1', port });
  assert.ok(error instanceof Error);
  assert.equal(error.message, `lmtp.listen: 127.0.0.1:${port} is taken: end what listens there, or choose another`);
});

test('a taken socket, and an address of another machine', async () => {
  const path = join(folder, 'lmtp.sock');
  const holder = createServer();
  await once(holder.listen(path), 'listening');
  const taken = await failure({ path });
  holder.close();
  assert.match(String(taken), new RegExp(`lmtp\\.listen: ${path} is taken`));
  // RFC 5737: an address that no machine has.
  assert.match(
    String(await failure({ host: '192.0.2.1', port: 2003 })),
    /lmtp\.listen: 192\.0\.2\.1:2003 is no address/,
  );
});

test('any other error stays what it is', () => {
  const error = new Error('out of luck');
  assert.equal(listenFailure('api', error), error);
});
