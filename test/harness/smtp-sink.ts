// Postfix's own LMTP server for tests, smtp-sink.
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import type { Address } from './cyrus-config.ts';
import { accepts, freePort } from './ports.ts';
import { until } from './until.ts';

const program = 'smtp-sink';

/** With some of its vices (`options`); it ends with the test. */
export async function startSink(t: Pick<TestContext, 'after'>, ...options: string[]): Promise<Address> {
  const address = { host: '127.0.0.1', port: await freePort() };
  // As root it wants somebody else to be.
  const who = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const sink = spawn(program, ['-L', ...who, ...options, `127.0.0.1:${address.port}`, '100'], {
    // Debian keeps Postfix's programs in /usr/sbin, which is not on everybody's PATH.
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    stdio: 'ignore',
  });
  t.after(() => sink.kill());
  await until('smtp-sink is up', () => accepts(address));
  return address;
}
