// A real Exim in a scratch folder, with the lines that infra/mta/exim offers: its own spool and log, on a loopback address.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import type { Address } from './cyrus-config.ts';
import { greets } from './greeting.ts';
import { claimNetwork, type LoopbackNetwork } from './loopback.ts';
import { endGroupWithUs, groupRuns, signalGroup } from './process-group.ts';
import { EXIM_VIEW } from './unpacked.ts';
import { until } from './until.ts';

const PORT = 10025;
const BOUND_MS = 30_000;
/** The user and group `mail` of every Debian, under the name that Debian's Exim runs by. */
const MAIL = { uid: 8, gid: 8 };
const ACCOUNT = 'Debian-exim';
const snippets = join(import.meta.dirname, '../../infra/mta/exim');

export class Exim {
  /** Where it takes mail by SMTP: for example.org, and for example.net, whose mail (bounces) it drops. */
  readonly smtp: Address;
  readonly #folder: string;
  readonly #network: LoopbackNetwork;
  readonly #discard: () => void;
  #daemon: ChildProcess | undefined;
  #letGo: () => void = () => undefined;

  private constructor(folder: string, network: LoopbackNetwork) {
    this.#folder = folder;
    this.#network = network;
    this.smtp = { host: network.host(1), port: PORT };
    // The last resort, for a test that ends without its clean-up.
    this.#discard = () => {
      if (this.#daemon?.pid !== undefined) signalGroup(this.#daemon.pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    process.once('exit', this.#discard);
  }

  /** What it takes for example.org goes to this LMTP server. */
  static async start(lmtp: Address): Promise<Exim> {
    const network = await claimNetwork();
    const exim = new Exim(await mkdtemp(join(tmpdir(), 'exim-')), network);
    try {
      await exim.#layOut(lmtp);
      await exim.#start();
      return exim;
    } catch (error) {
      await exim.stop();
      throw error;
    }
  }

  /** Hands it one message by SMTP. Throws when it refuses any recipient. */
  async submit(from: string, to: readonly string[], message: string | Buffer): Promise<void> {
    const transport = createTransport({ ...this.smtp, ignoreTLS: true });
    try {
      const { rejected } = await transport.sendMail({ envelope: { from, to: [...to] }, raw: message });
      if (rejected.length > 0) throw new Error(`Exim refused ${rejected.join(', ')}`);
    } finally {
      transport.close();
    }
  }

  /** Its main log; exim_spec says what the lines begin with: `=>` delivered, `==` put off, `**` bounced. */
  async log(): Promise<string> {
    return readFile(this.#at('log/main'), 'latin1').catch(() => '');
  }

  /** Waits for a line in the log, and gives what the pattern matched. */
  async logged(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + BOUND_MS;
    for (;;) {
      const log = await this.log();
      const found = pattern.exec(log);
      if (found !== null) return found;
      const panic = await readFile(this.#at('log/panic'), 'latin1').catch(() => '');
      if (Date.now() > deadline) throw new Error(`Exim has not logged ${String(pattern)} but:\n${log}${panic}`);
      await sleep(20);
    }
  }

  /** How many messages are in its queue. */
  async queued(): Promise<number> {
    return Number(await this.#exim('-bpc'));
  }

  /** A run through its queue, retry times or not; resolves when it has ended. */
  async flush(): Promise<void> {
    await this.#exim('-qff');
  }

  /** Ends it and removes what it had. May be called twice. */
  async stop(): Promise<void> {
    const group = this.#daemon?.pid;
    this.#daemon = undefined;
    if (group !== undefined) {
      signalGroup(group, 'SIGTERM');
      await until('Exim is gone', () => !groupRuns(group)).catch(() => {
        signalGroup(group, 'SIGKILL');
      });
    }
    this.#letGo();
    await rm(this.#folder, { recursive: true, force: true });
    process.off('exit', this.#discard);
    this.#network.release();
  }

  async #layOut(lmtp: Address): Promise<void> {
    await chmod(this.#folder, 0o755);
    for (const name of ['spool', 'log']) {
      await mkdir(this.#at(name));
      await chown(this.#at(name), MAIL.uid, MAIL.gid);
    }
    const passwd = await readFile('/etc/passwd', 'utf8');
    const group = await readFile('/etc/group', 'utf8');
    await writeFile(this.#at('passwd'), `${passwd}${ACCOUNT}:x:${MAIL.uid}:${MAIL.gid}::/nonexistent:/bin/false\n`);
    await writeFile(this.#at('group'), `${group}${ACCOUNT}:x:${MAIL.gid}:\n`);
    await writeFile(this.#at('exim.conf'), await eximConf(this.#folder, this.smtp, lmtp));
  }

  async #start(): Promise<void> {
    const [program = '', ...line] = this.#command('-bdf');
    const daemon = spawn(program, line, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
    this.#daemon = daemon;
    if (daemon.pid !== undefined) this.#letGo = endGroupWithUs(daemon.pid);
    const serves = async (): Promise<boolean> => {
      if (daemon.exitCode !== null) throw new Error(`Exim ended while starting:\n${await this.log()}`);
      return greets(this.smtp);
    };
    await until('Exim takes mail', serves, BOUND_MS);
  }

  async #exim(...args: string[]): Promise<string> {
    const [program = '', ...line] = this.#command(...args);
    return (await promisify(execFile)(program, line)).stdout;
  }

  /** In the view where Exim is installed, and has its account. */
  #command(...args: string[]): string[] {
    const accounts = `mount --bind ${this.#at('passwd')} /etc/passwd && mount --bind ${this.#at('group')} /etc/group`;
    return [EXIM_VIEW, 'sh', '-c', `${accounts} && exec exim4 -C ${this.#at('exim.conf')} ${args.join(' ')}`];
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }
}

async function eximConf(folder: string, smtp: Address, lmtp: Address): Promise<string> {
  const router = await readFile(join(snippets, 'router.snippet'), 'utf8');
  const transport = await readFile(join(snippets, 'transport.snippet'), 'utf8');
  return `
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%s
pid_file_path = ${folder}/spool/exim.pid
primary_hostname = mta.example.net
local_interfaces = ${smtp.host}
daemon_smtp_ports = ${smtp.port}
disable_ipv6
keep_environment =
tls_advertise_hosts =
# It delivers to nobody on this host, and needs to be root for nothing.
deliver_drop_privilege
acl_smtp_rcpt = accept

begin routers
senders:
  driver = redirect
  domains = example.net
  data = :blackhole:
${pointed(router, 'frontend.example.org', lmtp.host)}
begin transports
${pointed(transport, 'port = 2003', `port = ${lmtp.port}`)}
begin retry
* * F,1d,1h
`;
}

function pointed(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`infra/mta/exim has no "${from}" any more`);
  return text.replace(from, to);
}
