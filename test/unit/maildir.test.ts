// Maildirs on disk: names that mean something to a file system, one message in many mailboxes, a crash's remains.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Maildirs } from '../../infra/local/maildir.ts';

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-maildir-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a message is stored once in each mailbox, byte for byte, and nothing is left in the spool', async (t) => {
  const folder = await scratch(t);
  const maildirs = await Maildirs.open(folder);
  await maildirs.create('user.alice');
  await maildirs.create('user.bob');
  const message = await maildirs.begin(Buffer.from('Subject: x\r\n'));
  await message.write(Buffer.from([13, 10, 0, 255, 46, 13, 10]));
  await message.finish();
  const paths = [];
  for (const mailbox of ['user.alice', 'user.bob', 'user.alice']) paths.push(await message.storeIn(mailbox));
  await message.close();
  assert.equal(new Set(paths.map((path) => basename(path))).size, 3);
  const stored = Buffer.from('Subject: x\r\n\r\n\0\xff.\r\n', 'latin1');
  for (const path of paths) {
    assert.deepEqual(await readFile(path), stored);
    assert.match(basename(path), /^\d+\.R[0-9a-f]{8}P\d+Q\d+\..+,S=19$/);
  }
  assert.deepEqual(
    await Promise.all(['new', 'cur', 'tmp'].map(async (part) => countIn(folder, 'user.alice', part))),
    [2, 0, 0],
  );
  assert.equal(await countIn(folder, '=spool'), 0);
});

async function countIn(...path: string[]): Promise<number> {
  return (await readdir(join(...path))).length;
}

test('a message that is closed without being stored leaves nothing', async (t) => {
  const folder = await scratch(t);
  const maildirs = await Maildirs.open(folder);
  const message = await maildirs.begin(Buffer.from('x'));
  await message.close();
  assert.equal(await countIn(folder, '=spool'), 0);
});

test('mailbox names are bytes: none leaves the folder, and each comes back as it was', async (t) => {
  const folder = await scratch(t);
  const maildirs = await Maildirs.open(folder);
  const names = [
    'user.a/b',
    'user.a^b',
    '..',
    '.',
    '../x',
    'd.org!user."q q"',
    'user.\xe9',
    'user.=2F',
    '=spool',
    'user.*',
  ];
  for (const name of names) await maildirs.create(name);
  assert.deepEqual((await maildirs.list()).sort(), names.sort());
  assert.equal(await countIn(folder), names.length + 1);
  for (const name of names) assert.equal(await maildirs.has(name), true);
  assert.equal(await maildirs.has('user.nobody'), false);
});

test('what a crash left half-written is removed at the next start, mail is not', async (t) => {
  const folder = await scratch(t);
  const before = await Maildirs.open(folder);
  await before.create('user.alice');
  await writeFile(join(folder, '=spool', 'half'), 'x');
  const message = await before.begin(Buffer.from('kept'));
  const path = await message.storeIn('user.alice');
  const after = await Maildirs.open(folder);
  assert.equal(await countIn(folder, '=spool'), 0);
  assert.deepEqual(await after.list(), ['user.alice']);
  assert.equal(await readFile(path, 'latin1'), 'kept');
  await message.close();
});

test('a mailbox that is not there takes no message', async (t) => {
  const maildirs = await Maildirs.open(await scratch(t));
  const message = await maildirs.begin(Buffer.from('x'));
  await assert.rejects(message.storeIn('user.nobody'), { code: 'ENOENT' });
  await message.close();
});
