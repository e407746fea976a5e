// A real haproxy with the configuration that infra/mta offers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from './cyrus-config.ts';
import { accepts, freePort } from './ports.ts';
import { endGroupWithUs } from './process-group.ts';
import { until } from './until.ts';

const offered = join(import.meta.dirname, '../../infra/mta/haproxy.cfg');

export interface Haproxy {
  /** Where it takes mail. */
  readonly address: Address;
  /** At once, its connections with it. May be called twice. */
  kill(): Promise<void>;
}

/** In front of this frontend, telling it by the PROXY protocol who is behind; at `at`, or a free port. */
export async function startHaproxy(frontend: Address, at?: Address): Promise<Haproxy> {
  const address = at ?? { host: '127.0.0.1', port: await freePort() };
  const folder = await mkdtemp(join(tmpdir(), 'haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  const text = await readFile(offered, 'utf8');
  const told = text
    .replace(/^ *server frontend1 .*check$/m, '')
    .replace(/^( *)#(server frontend1 .* send-proxy )/m, '$1$2');
  await writeFile(file, told);
  const env = {
    ...process.env,
    // Debian keeps it in a folder that is not on everybody's PATH.
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin`,
    LMTP_LISTEN: `${address.host}:${address.port}`,
    LMTP_FRONTEND1: `${frontend.host}:${frontend.port}`,
  };
  const haproxy = spawn('haproxy', ['-db', '-f', file], { detached: true, stdio: 'ignore', env });
  const letGo = haproxy.pid === undefined ? () => undefined : endGroupWithUs(haproxy.pid);
  const kill = async (): Promise<void> => {
    if (haproxy.exitCode === null && haproxy.signalCode === null) {
      haproxy.kill('SIGKILL');
      await once(haproxy, 'exit');
    }
    letGo();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('haproxy is up', () => accepts(address), 30_000);
  } catch (error) {
    await kill();
    throw error;
  }
  return { address, kill };
}
