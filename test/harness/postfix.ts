// A real Postfix in a scratch folder: its own queue, configuration and log, listening on a loopback address of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import type { Address } from './cyrus-config.ts';
import { claimNetwork, type LoopbackNetwork } from './loopback.ts';
import { endGroupWithUs, groupRuns, signalGroup } from './process-group.ts';
import { until } from './until.ts';

export interface PostfixOptions {
  /** What takes its mail, as in `virtual_transport = lmtp:...`: `inet:[127.0.0.1]:2003`, or `unix:/path`. */
  lmtp: string;
  /** The domains it takes mail for; default example.org. */
  domains?: readonly string[];
  /** More lines for main.cf; they take the place of ours for the same parameter. */
  options?: readonly string[];
  /** More services for master.cf. */
  services?: readonly string[];
}

export interface Postfix {
  /** Where it takes mail by SMTP. */
  readonly smtp: Address;
  /** Hands it one message by SMTP. Throws when it refuses any recipient. */
  submit(from: string, to: readonly string[], message: string | Buffer): Promise<void>;
  log(): Promise<string>;
  /** Waits for a line in the log, and gives what the pattern matched. */
  logged(pattern: RegExp, boundMs?: number): Promise<RegExpExecArray>;
  /** How many messages are in its queue. */
  queued(): Promise<number>;
  /** Tries deferred messages again now. */
  flush(): Promise<void>;
  /** Ends it and removes what it had. May be called twice. */
  stop(): Promise<void>;
}

const PORT = 10025;
const BOUND_MS = 30_000;

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const network = await claimNetwork();
  const folder = await mkdtemp(join(tmpdir(), 'postfix-'));
  const server = new Server(folder, network);
  try {
    await server.configure(options);
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class Server implements Postfix {
  readonly smtp: Address;
  readonly #folder: string;
  readonly #network: LoopbackNetwork;
  readonly #discard: () => void;
  #master: ChildProcess | undefined;
  #letGo: () => void = () => undefined;

  constructor(folder: string, network: LoopbackNetwork) {
    this.#folder = folder;
    this.#network = network;
    this.smtp = { host: network.host(1), port: PORT };
    // The last resort, for a test that ends without its clean-up.
    this.#discard = () => {
      if (this.#master?.pid !== undefined) signalGroup(this.#master.pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    process.once('exit', this.#discard);
  }

  async configure(options: PostfixOptions): Promise<void> {
    await chmod(this.#folder, 0o755);
    for (const name of ['conf', 'queue', 'data', 'log']) await mkdir(this.#at(name));
    const { stdout } = await promisify(execFile)('id', ['-u', 'postfix']);
    await chown(this.#at('data'), Number(stdout), 0);
    await this.#write('main.cf', mainCf(this.#folder, this.smtp, options));
    await this.#write('master.cf', masterCf(this.smtp, options.services ?? []));
  }

  async start(): Promise<void> {
    // Makes the queue's folders, with the owners they need; what it complains about goes to standard error.
    await promisify(execFile)('postfix', ['-c', this.#at('conf'), 'check']);
    // -d: it stays in the process group that it is given, and its services with it.
    this.#master = spawn('/usr/lib/postfix/sbin/master', ['-c', this.#at('conf'), '-d'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (this.#master.pid !== undefined) this.#letGo = endGroupWithUs(this.#master.pid);
    await until('Postfix takes mail', () => this.#greets(), BOUND_MS);
  }

  async submit(from: string, to: readonly string[], message: string | Buffer): Promise<void> {
    const transport = createTransport({ ...this.smtp, ignoreTLS: true });
    try {
      const { rejected } = await transport.sendMail({ envelope: { from, to: [...to] }, raw: message });
      if (rejected.length > 0) throw new Error(`Postfix refused ${rejected.join(', ')}`);
    } finally {
      transport.close();
    }
  }

  async log(): Promise<string> {
    const file = this.#at('log/postfix');
    return (await stat(file).catch(() => undefined)) === undefined ? '' : readFile(file, 'latin1');
  }

  async logged(pattern: RegExp, boundMs = BOUND_MS): Promise<RegExpExecArray> {
    const deadline = Date.now() + boundMs;
    for (;;) {
      const log = await this.log();
      const found = pattern.exec(log);
      if (found !== null) return found;
      if (Date.now() > deadline) throw new Error(`Postfix has not logged ${String(pattern)} but:\n${log}`);
      await sleep(20);
    }
  }

  async queued(): Promise<number> {
    const { stdout } = await promisify(execFile)('postqueue', ['-c', this.#at('conf'), '-j']);
    return stdout.split('\n').filter((line) => line !== '').length;
  }

  async flush(): Promise<void> {
    await promisify(execFile)('postqueue', ['-c', this.#at('conf'), '-f']);
  }

  async stop(): Promise<void> {
    const group = this.#master?.pid;
    this.#master = undefined;
    if (group !== undefined) {
      signalGroup(group, 'SIGTERM');
      await until('Postfix is gone', () => !groupRuns(group)).catch(() => {
        signalGroup(group, 'SIGKILL');
      });
    }
    this.#letGo();
    await rm(this.#folder, { recursive: true, force: true });
    process.off('exit', this.#discard);
    this.#network.release();
  }

  /** Dated back, for Postfix reads a file again and again until it has not been changed for a second. */
  async #write(name: string, text: string): Promise<void> {
    const file = this.#at(`conf/${name}`);
    await writeFile(file, text);
    await utimes(file, 0, 0);
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }

  async #greets(): Promise<boolean> {
    if (this.#master?.exitCode !== null) throw new Error(`Postfix ended while starting:\n${await this.log()}`);
    const transport = createTransport({ ...this.smtp, ignoreTLS: true });
    return transport.verify().catch(() => false);
  }
}

function mainCf(folder: string, smtp: Address, options: PostfixOptions): string {
  const more = (options.options ?? []).join('\n');
  const given = new Set([...more.matchAll(/^(\w+) *=/gm)].map(([, name]) => name));
  const lines = [
    'compatibility_level = 3.6',
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/data`,
    `maillog_file = ${folder}/log/postfix`,
    `maillog_file_prefixes = ${folder}`,
    'myhostname = mta.example.net',
    'mydestination =',
    // Not the address itself: it is on no interface by name, and Postfix would not start.
    'inet_interfaces = loopback-only',
    'inet_protocols = ipv4',
    'mynetworks = 127.0.0.0/8',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
    'alias_maps =',
    'alias_database =',
    'smtpd_tls_security_level = none',
    `virtual_mailbox_domains = ${(options.domains ?? ['example.org']).join(' ')}`,
    `virtual_transport = lmtp:${options.lmtp}`,
  ];
  return [...lines.filter((line) => !given.has(line.slice(0, line.indexOf(' ')))), more, ''].join('\n');
}

/** The services a message passes on its way in, through the queue, and out by LMTP, or back as a bounce. */
function masterCf(smtp: Address, more: readonly string[]): string {
  const service = (name: string, type: string, command: string, ...columns: string[]): string =>
    [name, type, ...(columns.length > 0 ? columns : ['y', '-', 'n', '-', '-']), command].join(' ');
  return [
    service(`${smtp.host}:${smtp.port}`, 'inet', 'smtpd', 'n', '-', 'n', '-', '-'),
    service('postlog', 'unix-dgram', 'postlogd', 'n', '-', 'n', '-', '1'),
    service('pickup', 'unix', 'pickup', 'n', '-', 'n', '60', '1'),
    service('cleanup', 'unix', 'cleanup', 'n', '-', 'n', '-', '0'),
    service('qmgr', 'unix', 'qmgr', 'n', '-', 'n', '300', '1'),
    service('rewrite', 'unix', 'trivial-rewrite'),
    service('bounce', 'unix', 'bounce', '-', '-', 'n', '-', '0'),
    service('defer', 'unix', 'bounce', '-', '-', 'n', '-', '0'),
    service('trace', 'unix', 'bounce', '-', '-', 'n', '-', '0'),
    service('verify', 'unix', 'verify', '-', '-', 'n', '-', '1'),
    service('flush', 'unix', 'flush', 'n', '-', 'n', '1000?', '0'),
    service('showq', 'unix', 'showq', 'n', '-', 'n', '-', '-'),
    service('error', 'unix', 'error'),
    service('retry', 'unix', 'error'),
    service('discard', 'unix', 'discard'),
    service('smtp', 'unix', 'smtp'),
    service('lmtp', 'unix', 'lmtp'),
    service('anvil', 'unix', 'anvil', '-', '-', 'n', '-', '1'),
    service('scache', 'unix', 'scache', '-', '-', 'n', '-', '1'),
    service('proxymap', 'unix', 'proxymap', '-', '-', 'n', '-', '-'),
    service('tlsmgr', 'unix', 'tlsmgr', '-', '-', 'n', '1000?', '1'),
    ...more,
    '',
  ].join('\n');
}
