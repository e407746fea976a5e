// infra/local/unpack.sh with an apt-get and a dpkg-deb that bring what the test wants.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const script = join(import.meta.dirname, '../../infra/local/unpack.sh');
let folder = '';
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rookery-unpack-'));
  await mkdir(at('bin'));
  await program(
    'apt-get',
    `echo "$*" >>${at('asked')}; for word; do case $word in
       Dir::Cache=*) touch "\${word#Dir::Cache=}/archives/one.deb" ;; nosuch) exit 100 ;;
     esac; done`,
  );
  await program(
    'dpkg-deb',
    `mkdir -p "$3/usr/bin" "$3/usr/lib/x-linux-gnu" "$3/lib/x-linux-gnu" && touch "$3/lib/x-linux-gnu/libone.so" &&
     printf '#!/bin/sh\\necho "$LD_LIBRARY_PATH: $*"\\n' >"$3/usr/bin/one" && chmod 4755 "$3/usr/bin/one"`,
  );
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function program(name: string, lines: string): Promise<void> {
  await writeFile(at(`bin/${name}`), `#!/bin/sh\n${lines}\n`);
  await chmod(at(`bin/${name}`), 0o755);
}

function unpack(...packages: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: `${at('bin')}:${process.env['PATH'] ?? ''}` };
  const { status, stdout, stderr } = spawnSync(script, ['--into', at('got'), ...packages], { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('it prints the folder; its programs run with its libraries, and as nobody else', async () => {
  assert.deepEqual(unpack('one'), { status: 0, stdout: `${at('got')}\n`, stderr: '' });
  const { stdout } = spawnSync(at('got/run'), ['usr/bin/one', 'a b', 'c'], { env: {}, encoding: 'utf8' });
  assert.equal(stdout, `${at('got/files/usr/lib/x-linux-gnu')}: a b c\n`);
  assert.equal((await stat(at('got/files/usr/bin/one'))).mode & 0o7777, 0o755);
  // What a package has in /lib is where Debian has it today.
  await access(at('got/files/usr/lib/x-linux-gnu/libone.so'));
});

test('the second time nothing is asked for', async () => {
  unpack('one');
  await rm(at('asked'));
  assert.deepEqual(unpack('one'), { status: 0, stdout: `${at('got')}\n`, stderr: '' });
  await assert.rejects(access(at('asked')));
});

test('what the lists of the machine do not have is looked for in fresh ones; a failure is told, and tried again', async () => {
  const { status, stdout, stderr } = unpack('nosuch');
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^could not be downloaded: nosuch$/m);
  const asked = (await readFile(at('asked'), 'utf8')).trimEnd().split('\n');
  assert.deepEqual(
    asked.map((words) => / (install nosuch|update)$/.exec(words)?.[1]),
    ['install nosuch', 'update', 'install nosuch'],
  );
  assert.equal(unpack('one').status, 0);
});

test('a package that cannot be unpacked leaves nothing that could be run', async () => {
  await program('dpkg-deb', 'mkdir -p "$3/usr" && exit 2');
  assert.equal(unpack('one').status, 2);
  await assert.rejects(access(at('got/run')));
});
