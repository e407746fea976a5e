// The house holds: the dependency rule, a caption on every file, no room too large, no name that says nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

interface Cruise {
  modules: unknown[];
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
}

async function sources(...folders: string[]): Promise<string[]> {
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    }),
  );
  return lists.flat().filter((file) => /\.(ts|lua|sh)$/.test(file));
}

test('arrows point one way, pure files touch no world, each required package has one door', async () => {
  const cruise = join(root, 'node_modules/.bin/depcruise');
  const folders = ['services', 'workers', 'infra', 'test'];
  const { stdout } = await promisify(execFile)(cruise, ['--output-type', 'json', ...folders], {
    ...{ cwd: root, maxBuffer: 64 * 1024 * 1024 },
  }).catch((error: unknown) => error as { stdout: string });
  const { modules, summary } = JSON.parse(stdout) as Cruise;
  assert.ok(modules.length > 40 && summary.totalCruised > 40, `only ${modules.length} modules were looked at`);
  const found = summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
  assert.deepEqual(found, []);
});

test('every file opens with a caption, and is one thing of at most 300 lines', async () => {
  const files = await sources('services', 'workers', 'infra');
  assert.ok(files.length > 30);
  for (const file of files) {
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const caption = lines[0]?.startsWith('#!') ? lines[1] : lines[0];
    assert.match(caption ?? '', /^(\/\/|--|#) \S.{15,}/, `${file} has no caption`);
    assert.ok(lines.length <= 300, `${file} has ${lines.length} lines`);
    assert.doesNotMatch(basename(file), /^(utils?|helpers?|common|misc|types)\./, `${file}: the name says nothing`);
  }
});
