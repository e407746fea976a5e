// infra/local/redis-bring.sh, as far as it goes without bringing anything: what it finds, and what it says otherwise.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { access, chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { unpackedRedis } from '../../services/redis/redis-binary.ts';

const script = join(import.meta.dirname, '../../infra/local/redis-bring.sh');
let data = '';
before(async () => {
  data = await mkdtemp(join(tmpdir(), 'rookery-bring-'));
  // A machine that has these commands and no others.
  await mkdir(join(data, 'bin'));
  for (const command of ['bash', 'dirname', 'env']) {
    const found = spawnSync('bash', ['-c', `type -P ${command}`], { encoding: 'utf8' }).stdout.trim();
    await symlink(found, join(data, 'bin', command));
  }
});
after(async () => {
  await rm(data, { recursive: true });
});

function bring(env: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(join(data, 'bin/bash'), [script, data], {
    env: { PATH: join(data, 'bin'), ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

async function program(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return path;
}

test('nothing there and no Debian: one line says what to install', () => {
  const { status, stdout, stderr } = bring();
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^redis: no redis-server or valkey-server found, and this is no Debian: install one .*\n$/);
});

test('it prefers what it was told to, then what is on PATH, then the copy in the data folder', async () => {
  const unpacked = await program(unpackedRedis(data));
  assert.deepEqual(bring(), { status: 0, stdout: `${unpacked}\n`, stderr: '' });
  const onPath = await program(join(data, 'bin/valkey-server'));
  assert.deepEqual(bring(), { status: 0, stdout: `${onPath}\n`, stderr: '' });
  const told = { ROOKERY_REDIS_BIN: '/opt/redis/redis-server' };
  assert.deepEqual(bring(told), { status: 0, stdout: '/opt/redis/redis-server\n', stderr: '' });
});

test('a step of the unpacking that fails leaves no program behind', async () => {
  const fakes = join(data, 'fakes');
  const steps = { id: 'echo 1000', 'apt-get': 'exit 0', 'dpkg-deb': 'exit 2' };
  for (const [name, line] of Object.entries(steps)) {
    await writeFile(await program(join(fakes, name)), `#!/bin/sh\n${line}\n`);
  }
  for (const command of ['mkdir', 'rm', 'cat', 'chmod', 'tail', 'mv', 'readlink', 'flock']) {
    const found = spawnSync('bash', ['-c', `type -P ${command}`], { encoding: 'utf8' }).stdout.trim();
    await symlink(found, join(fakes, command));
  }
  await rm(join(data, 'bin/valkey-server'), { force: true });
  await rm(unpackedRedis(data), { force: true });
  const { status, stdout, stderr } = bring({ PATH: `${join(data, 'bin')}:${fakes}` });
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /could not be brought: install redis-server or valkey-server\n$/);
  await assert.rejects(access(unpackedRedis(data)));
});
