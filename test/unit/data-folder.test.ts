// The data folder is made with what is missing above it, or refused by its key.
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeDataFolder } from '../../services/config/data-folder.ts';

let scratch = '';
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'rookery-data-'));
});
after(() => rm(scratch, { recursive: true }));

test('what is missing is made for this user alone; what is there stays', async () => {
  const data = join(scratch, 'a/b');
  for (let time = 0; time < 2; time += 1) makeDataFolder(data, join(data, 'redis'));
  for (const path of [data, join(data, 'redis')]) assert.equal((await stat(path)).mode & 0o7777, 0o700);
});

test('where no folder can be made the key, its value and the reason are told', async () => {
  const file = join(scratch, 'file');
  await writeFile(file, '');
  for (const [data, reason] of [
    ['/proc/rookery/data', /ENOENT/],
    [`${file}/data`, /ENOTDIR/],
    [file, /EEXIST/],
  ] as const) {
    const told = ({ message }: Error) =>
      message.includes(`data is ${data}; it may be a folder`) && reason.test(message);
    assert.throws(() => {
      makeDataFolder(data);
    }, told);
  }
});
