// The operator's commands against a directory in a real Redis, with no server of ours running.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { openScratchDirectory } from '../harness/directory.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

const bin = resolve(import.meta.dirname, '../../services/cli/rookery');
const backends = '{ mail1: { lmtp: { host: 127.0.0.1, port: 24 } }, mail2: {} }';
let redis: ScratchRedis;

before(async () => {
  redis = await startRedis();
  const scratch = await openScratchDirectory(redis.socket);
  const writer = { session: 's1', admin: true, push: false };
  for (const [name, location] of [
    ['user.jdoe', 'mail1!default'],
    ['user.jdoe.Sent', 'mail1!default'],
    ['user.ann', 'mail2!p2'],
  ] as const) {
    await scratch.directory.write({ verb: 'ACTIVATE', name, location, acl: 'jdoe\tlrs\t' }, writer);
  }
  await scratch.directory.write({ verb: 'RESERVE', name: 'user.new', location: 'mail2!p2', acl: '' }, writer);
  await scratch.close();
});
after(() => redis.stop());

/** Finds Redis where `rookery up` would keep it: in the data folder. */
function rookery(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env['PATH'], ROOKERY_DATA: redis.dataFolder, ROOKERY_BACKENDS: backends };
  return new Promise((done) => {
    execFile(bin, args, { env }, (error, out, err) => {
      done({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

test('mailboxes are listed, found and shown from the embedded Redis', async () => {
  const list = await rookery('mailbox', 'list', '*jdoe*');
  assert.equal(list.err, '');
  assert.deepEqual(
    list.out.split('\n').map((line) => line.split(/ +/)),
    [
      ['NAME', 'SERVER', 'PARTITION', 'STATE'],
      ['user.jdoe', 'mail1', 'default', 'active'],
      ['user.jdoe.Sent', 'mail1', 'default', 'active'],
      [''],
    ],
  );
  assert.equal((await rookery('mailbox', 'list', '--server', 'mail2')).out.split('\n').length, 4);
  assert.deepEqual(await rookery('mailbox', 'where', 'user.ann'), { code: 0, out: 'mail2 p2\n', err: '' });
  assert.equal((await rookery('mailbox', 'where', 'user.new')).code, 75);
  const shown = await rookery('mailbox', 'show', 'user.jdoe', '-f', 'json');
  assert.equal((JSON.parse(shown.out) as { tree: unknown[] }).tree.length, 2);
});

test('an unknown name is uncertain until the directory is trusted', async () => {
  assert.equal((await rookery('route', 'explain', 'jdoe@example.org')).code, 0);
  assert.equal((await rookery('route', 'explain', 'nobody@example.org')).code, 75);
  assert.equal((await rookery('mailbox', 'where', 'user.nobody')).code, 75);
  assert.match((await rookery('directory', 'status')).out, /waiting for +mail1, mail2/);
  assert.equal((await rookery('directory', 'trust')).code, 0);
  assert.equal((await rookery('route', 'explain', 'nobody@example.org')).code, 67);
  assert.equal((await rookery('mailbox', 'where', 'user.nobody')).code, 67);
});
