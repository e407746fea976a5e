// A great many sessions that do nothing cost little memory, and do not keep anybody from being served.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mta } from '../harness/lmtp-proxy.ts';
import { until } from '../harness/until.ts';

/** What an idle plain connection may cost, in bytes. */
const most = 20 * 1024;
const wanted = process.env['ROOKERY_TEST_SCALE'] === 'full' ? 10_000 : 3_000;
/** Each is a descriptor here, and one over there. */
const [, limit = '1024'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
const count = Math.min(wanted, Number(limit) - 500);

interface Told {
  sessions: number;
  rss: number;
}

test(`${count} idle sessions take at most ${most} bytes each`, async (t) => {
  const server = fork(join(import.meta.dirname, '../harness/lmtp-process.ts'));
  t.after(() => server.kill('SIGKILL'));
  const [address] = (await once(server, 'message')) as [{ host: string; port: number }];
  const ask = async (): Promise<Told> => {
    server.send('tell');
    const [told] = (await once(server, 'message')) as [Told];
    return told;
  };
  const open: Socket[] = [];
  t.after(() => {
    for (const socket of open) socket.destroy();
  });
  const begin = async (): Promise<void> => {
    const socket = connect(address);
    open.push(socket);
    await once(socket, 'data');
    socket.write('LHLO c\r\n');
    await once(socket, 'data');
  };
  const beginMany = async (number: number): Promise<void> => {
    for (let some = 0; some < number; some += 50) await Promise.all(Array.from({ length: 50 }, begin));
  };
  // What a program that has begun to work needs is no matter of the sessions.
  await beginMany(500);
  for (const socket of open.splice(0)) socket.destroy();
  await until('they are gone', async () => (await ask()).sessions === 0);
  const before = await ask();
  await beginMany(count);
  await sleep(500);
  const { sessions, rss } = await ask();
  assert.equal(sessions, count);
  const each = (rss - before.rss) / count;
  t.diagnostic(`${Math.round(each)} bytes a session`);
  assert.ok(each <= most, `${Math.round(each)} bytes a session`);
  const mta = await Mta.greet(address);
  assert.deepEqual(await mta.send(['<a>']), ['250 2.1.5 Stored for a']);
  await mta.quit();
});
