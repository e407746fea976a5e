// A real Dovecot that serves LMTP and nothing else, in a scratch folder: a list of users, their mail in Maildirs.
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from './cyrus-config.ts';
import { greets } from './greeting.ts';
import { claimNetwork, type LoopbackNetwork } from './loopback.ts';
import { endGroupWithUs, groupRuns, signalGroup } from './process-group.ts';
import { DOVECOT_VIEW } from './unpacked.ts';
import { until } from './until.ts';

export interface DovecotOptions {
  /** Who has a mailbox, with extra fields of his row: `{ ann: '', full: 'userdb_quota_rule=*:bytes=1' }`. */
  users: Readonly<Record<string, string>>;
  /** More lines for dovecot.conf. */
  settings?: readonly string[];
}

const PORT = 10024;
const BOUND_MS = 30_000;
/** The user and group `mail` of every Debian. */
const MAIL = { uid: 8, gid: 8 };

export class Dovecot {
  readonly lmtp: Address;
  readonly #folder: string;
  readonly #network: LoopbackNetwork;
  readonly #discard: () => void;
  #master: ChildProcess | undefined;
  #letGo: () => void = () => undefined;

  private constructor(folder: string, network: LoopbackNetwork) {
    this.#folder = folder;
    this.#network = network;
    this.lmtp = { host: network.host(1), port: PORT };
    // The last resort, for a test that ends without its clean-up.
    this.#discard = () => {
      if (this.#master?.pid !== undefined) signalGroup(this.#master.pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    process.once('exit', this.#discard);
  }

  static async start(options: DovecotOptions): Promise<Dovecot> {
    const network = await claimNetwork();
    const folder = await mkdtemp(join(tmpdir(), 'dovecot-'));
    const dovecot = new Dovecot(folder, network);
    try {
      await dovecot.#layOut(options);
      await dovecot.start();
      return dovecot;
    } catch (error) {
      await dovecot.stop();
      throw error;
    }
  }

  /** Once more, with the mail that it has, after `kill`. */
  async start(): Promise<void> {
    const command = ['dovecot', '-F', '-c', this.#at('dovecot.conf')];
    const master = spawn(DOVECOT_VIEW, command, { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
    this.#master = master;
    if (master.pid !== undefined) this.#letGo = endGroupWithUs(master.pid);
    const serves = async (): Promise<boolean> => {
      if (master.exitCode !== null) throw new Error(`Dovecot ended while starting:\n${await this.log()}`);
      return greets(this.lmtp);
    };
    await until('Dovecot greets', serves, BOUND_MS);
  }

  /** Ends it and all its processes as a crash of the machine would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** A user's messages, whole, in no order. */
  async inbox(user: string): Promise<string[]> {
    const folder = this.#at(`mail/${user}/Maildir/new`);
    const files = await readdir(folder).catch(() => []);
    return Promise.all(files.map((file) => readFile(join(folder, file), 'latin1')));
  }

  /** All that clients have sent so far, a line with its time for each. */
  async heard(): Promise<string> {
    const folder = this.#at('rawlog');
    const files = (await readdir(folder)).filter((file) => file.endsWith('.in'));
    return (await Promise.all(files.map((file) => readFile(join(folder, file), 'latin1')))).join('');
  }

  async log(): Promise<string> {
    return readFile(this.#at('log'), 'utf8').catch(() => '');
  }

  /** Ends it and removes what it had. May be called twice. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    await rm(this.#folder, { recursive: true, force: true });
    process.off('exit', this.#discard);
    this.#network.release();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const group = this.#master?.pid;
    this.#master = undefined;
    if (group === undefined) return;
    signalGroup(group, signal);
    await until('Dovecot is gone', () => !groupRuns(group)).catch(() => {
      signalGroup(group, 'SIGKILL');
    });
    this.#letGo();
  }

  async #layOut({ users, settings = [] }: DovecotOptions): Promise<void> {
    await chmod(this.#folder, 0o755);
    for (const name of ['run', 'state', 'mail', 'rawlog']) await mkdir(this.#at(name));
    for (const name of ['mail', 'rawlog']) await chown(this.#at(name), MAIL.uid, MAIL.gid);
    const rows = Object.entries(users).map(
      ([user, fields]) => `${user}:{PLAIN}${user}pw:${MAIL.uid}:${MAIL.gid}::${this.#at(`mail/${user}`)}::${fields}\n`,
    );
    await writeFile(this.#at('users'), rows.join(''));
    await writeFile(this.#at('dovecot.conf'), dovecotConf(this.#folder, this.lmtp, settings));
  }

  #at(name: string): string {
    return join(this.#folder, name);
  }
}

function dovecotConf(folder: string, lmtp: Address, more: readonly string[]): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
lmtp_rawlog_dir = ${folder}/rawlog
hostname = dovecot.test
protocols = lmtp
ssl = no
# Only users that every Debian has.
default_internal_user = mail
default_internal_group = mail
default_login_user = nobody
first_valid_uid = ${MAIL.uid}
mail_location = maildir:~/Maildir
auth_username_format = %n
passdb {
  driver = passwd-file
  args = ${folder}/users
}
userdb {
  driver = passwd-file
  args = ${folder}/users
}
service lmtp {
  inet_listener lmtp {
    address = ${lmtp.host}
    port = ${lmtp.port}
  }
}
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:User quota
}
${more.join('\n')}
`;
}
