// The log of a process whose standard error takes nothing: the work goes on, and the end comes when it should.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const logger = join(import.meta.dirname, '../../services/logging/logger.ts');
const program = `
  import { makeLogger } from ${JSON.stringify(logger)};
  import { setTimeout as sleep } from 'node:timers/promises';
  const log = makeLogger({ level: 'info' });
  for (let count = 0; count < 3; count++) { log.info('line'); await sleep(20); }
  console.log('done');
`;

test('a full disk under the log ends nobody', { skip: !existsSync('/dev/full'), timeout: 20_000 }, async (t) => {
  const full = await open('/dev/full', 'w');
  t.after(() => full.close());
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', full.fd] });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.deepEqual([out, code], ['done\n', 0]);
});
