// The program itself, as a shell starts it: help, exit codes, where the bin finds things.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const bin = resolve(import.meta.dirname, '../../services/cli/rookery');
const folder = mkdtempSync(join(tmpdir(), 'rookery-bin-'));
after(() => {
  rmSync(folder, { recursive: true });
});

interface Ending {
  code: number;
  out: string;
  err: string;
}

function rookery(args: string[], env: Record<string, string> = {}, program = bin): Promise<Ending> {
  return new Promise((done) => {
    const options = { env: { PATH: process.env['PATH'], ...env }, cwd: folder };
    execFile(program, args, options, (error, out, err) => {
      done({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

test('the version is that of the package', async () => {
  const { out } = await rookery(['--version']);
  assert.match(out, /^\d+\.\d+\.\d+\n$/);
});

test('help goes to standard output, wrong usage to standard error with 64', async () => {
  const help = await rookery(['mailbox', 'list', '--help']);
  assert.deepEqual([help.code, help.err], [0, '']);
  assert.match(help.out, /^Usage: rookery mailbox list/);
  const wrong = await rookery(['mailbx']);
  assert.deepEqual([wrong.code, wrong.out], [64, '']);
  assert.match(wrong.err, /unknown command 'mailbx'/);
});

test('a wrong configuration is 78 with each key; a right one is ok', async () => {
  const file = join(folder, 'wrong.yaml');
  writeFileSync(file, 'lmtp: { size_limt: 5, virtdomains: maybe }\n');
  const wrong = await rookery(['config', 'check', '--config', file]);
  assert.equal(wrong.code, 78);
  assert.match(wrong.err, /lmtp\.size_limt is 5; .*did you mean size_limit\?/);
  assert.match(wrong.err, /lmtp\.virtdomains is "maybe"; it may be one of off, userid, on/);
  assert.equal((await rookery(['up', '--config', file])).code, 78);
  const example = await rookery(['config', 'example']);
  writeFileSync(file, example.out);
  assert.deepEqual(await rookery(['config', 'check'], { ROOKERY_CONFIG: file }), {
    code: 0,
    out: `${file}: ok\n`,
    err: '',
  });
});

test('a directory that does not run is 69, in one line that says what to do', async () => {
  const env = { ROOKERY_DATA: join(folder, 'data'), ROOKERY_CONFIG: '' };
  const { code, err } = await rookery(['mailbox', 'list'], env);
  assert.equal(code, 69, err);
  assert.match(err, /^rookery: the directory cannot be opened: Redis does not answer at .*rookery up.*\n$/);
});

test('the bin is found through links, and whoever reads only the first line does no harm', () => {
  const link = join(folder, 'rookery');
  symlinkSync(bin, link);
  const script = `"${link}" config describe | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.deepEqual([stdout, stderr], ['servername\n0\n', '']);
});
