// Dovecot's LMTP proxy for a comparison: unpacked, not installed, for Debian's dovecot conflicts with its cyrus-imapd.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface DovecotOptions {
  /** A folder of its own. */
  folder: string;
  /** Where `dpkg -x` has unpacked dovecot-core and dovecot-lmtpd; undefined: they are fetched. */
  unpacked: string | undefined;
  listen: { host: string; port: number };
  backend: { host: string; port: number };
  processes: number;
}

/** The command that starts it in the foreground, in a view of the machine in which it is installed. */
export async function layOutDovecot(options: DovecotOptions): Promise<string[]> {
  const { folder } = options;
  await mkdir(join(folder, 'base'), { recursive: true });
  const config = join(folder, 'dovecot.conf');
  await writeFile(config, dovecotConf(options));
  const start = ['dovecot', '-F', '-c', config];
  if (options.unpacked === undefined && existsSync('/usr/lib/dovecot/lmtp')) return start;
  const unpacked = options.unpacked ?? (await unpack(join(folder, 'unpacked')));
  // Its parts call each other by their places in /usr.
  const view = `mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"`;
  return ['unshare', '-m', 'sh', '-c', view, unpacked, ...start];
}

async function unpack(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const run = promisify(execFile);
  await run('apt-get', ['download', '-qq', 'dovecot-core', 'dovecot-lmtpd'], { cwd: folder });
  for (const file of await readdir(folder)) {
    if (file.endsWith('.deb')) await run('dpkg', ['-x', join(folder, file), folder]);
  }
  return folder;
}

/**
 * Nothing is looked up: every recipient is at the one backend. A process for many sessions costs half the CPU of its
 * default, a process for each; the default is made for local delivery, which blocks.
 */
function dovecotConf({ folder, listen, backend, processes }: DovecotOptions): string {
  return `
protocols = lmtp
listen = ${listen.host}
base_dir = ${folder}/base
state_dir = ${folder}
log_path = ${folder}/dovecot.log
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = daemon
ssl = no
lmtp_proxy = yes
passdb {
  driver = static
  args = proxy=y host=${backend.host} port=${backend.port} nopassword=y proxy_timeout=60
}
service lmtp {
  inet_listener lmtp {
    address = ${listen.host}
    port = ${listen.port}
  }
  process_min_avail = ${processes}
  process_limit = ${processes}
  client_limit = 1000
  service_count = 0
}
service auth {
  client_limit = 5000
}
service anvil {
  client_limit = 5000
}
service stats {
  client_limit = 5000
}
`;
}
