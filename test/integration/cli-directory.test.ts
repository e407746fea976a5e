// The operator's commands against a directory in a real Redis, with no server of ours running.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fillDirectory } from '../harness/directory.ts';
import { operatorIn } from '../harness/operator.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';

const backends = '{ mail1: { lmtp: { host: 127.0.0.1, port: 24 } }, mail2: {} }';
let redis: ScratchRedis;
before(async () => {
  redis = await startRedis();
  const rows = [
    ['user.jdoe', 'mail1!default'],
    ['user.jdoe.Sent', 'mail1!default'],
    ['user.ann', 'mail2!p2'],
  ] as const;
  await fillDirectory(redis.socket, rows, [['user.new', 'mail2!p2']]);
});
after(() => redis.stop());

/** Finds Redis where `rookery up` would keep it: in the data folder. */
const rookery = (...words: string[]) =>
  operatorIn({ ROOKERY_DATA: redis.dataFolder, ROOKERY_BACKENDS: backends }, ...words);

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
