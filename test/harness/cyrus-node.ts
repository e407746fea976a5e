// One real Cyrus server in a scratch folder and a mount namespace of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import {
  accounts,
  type Address,
  CYRUS_PORTS,
  cyrusConf,
  type CyrusPlan,
  type CyrusRole,
  hostsFile,
  imapdConf,
  servername,
  servicesFile,
} from './cyrus-config.ts';
import { groupRuns, runningIn, signalGroup } from './process-group.ts';
import { until } from './until.ts';

const VIEW = join(import.meta.dirname, 'cyrus-view.sh');
const FOLDERS = ['etc', 'dev', 'sieve', 'log', 'run/proc', 'run/lock', 'spool/default', 'spool/u2'];
/** Cyrus makes the rest of its configdirectory itself; these it expects. */
const CONF_FOLDERS = ['db', 'socket', 'sync', 'user', 'quota', 'log', 'msg', 'proc'];
const START_BOUND_MS = 30_000;
const STOP_BOUND_MS = 10_000;
/** How many looks in a row may find the master without any service before it is ended. */
const ALONE_LOOKS = 50;

export interface CommandOutcome {
  code: number;
  stdout: string;
  stderr: string;
}

export class CyrusNode {
  readonly name: string;
  readonly role: CyrusRole;
  readonly folder: string;
  readonly imap: Address;
  /** LMTP with AUTH PLAIN; see CYRUS_PASSWORD for who may. */
  readonly lmtp: Address;
  /** LMTP for whoever can open the socket. */
  readonly lmtpSocket: string;
  /** On the frontend: LMTP over TCP that asks for no AUTH. */
  readonly preauthorisedLmtp: Address;
  /** On a replica: where sync_client says what the master has. */
  readonly csync: Address;
  /** On the master and (read-only) on a frontend. */
  readonly mupdate: Address;
  /** What the node has said to syslog so far, a line each. */
  readonly log: string[] = [];
  readonly #syslog: ChildProcess;
  #master: ChildProcess | undefined;

  private constructor(plan: CyrusPlan, syslog: ChildProcess) {
    const { name, role, folder, address: host } = plan;
    this.name = name;
    this.role = role;
    this.folder = folder;
    this.imap = { host, port: CYRUS_PORTS.imap };
    this.lmtp = { host, port: CYRUS_PORTS.lmtp };
    this.lmtpSocket = join(folder, 'run/lmtp');
    this.preauthorisedLmtp = { host, port: CYRUS_PORTS.preauthorisedLmtp };
    this.csync = { host, port: CYRUS_PORTS.csync };
    this.mupdate = { host, port: CYRUS_PORTS.mupdate };
    this.#syslog = syslog;
  }

  /** Writes the node's folder and starts its syslog, nothing more. */
  static async make(plan: CyrusPlan): Promise<CyrusNode> {
    for (const folder of [...FOLDERS, ...CONF_FOLDERS.map((name) => `conf/${name}`)]) {
      await mkdir(join(plan.folder, folder), { recursive: true });
    }
    await Promise.all([
      writeFile(join(plan.folder, 'imapd.conf'), imapdConf(plan)),
      writeFile(join(plan.folder, 'cyrus.conf'), cyrusConf(plan)),
      writeFile(join(plan.folder, 'etc/hosts'), hostsFile(plan)),
      writeFile(join(plan.folder, 'etc/services'), servicesFile()),
      writeFile(join(plan.folder, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files\nservices: files\n'),
      writeAccounts(plan),
    ]);
    await promisify(execFile)('chown', ['-R', 'cyrus:mail', plan.folder]);
    const node = new CyrusNode(plan, startSyslog(plan.folder));
    await node.#listenToSyslog();
    return node;
  }

  /** The process id of its master; undefined while it is down. */
  get pid(): number | undefined {
    return this.#master?.pid;
  }

  /**
   * Starts it and waits until every service greets, up to `bound` milliseconds. Throws with the end of its log when it
   * ends or hangs instead.
   */
  async start(bound = START_BOUND_MS): Promise<void> {
    if (this.#master !== undefined) throw new Error(`${this.name} runs already`);
    const output = await open(this.#outputFile, 'a');
    const at = (file: string): string => join(this.folder, file);
    const master = ['master', '-C', at('imapd.conf'), '-M', at('cyrus.conf'), '-p', at('run/master.pid')];
    this.#master = spawn('unshare', ['-m', '--', 'bash', VIEW, this.folder, ...master], {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await output.close();
    await this.#greets(bound).catch(async (error: unknown) => {
      await this.kill9();
      throw error;
    });
  }

  /** Ends it by SIGTERM, as an operator would, and waits. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends the master and all its services as a crash of the machine would. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Runs a Cyrus command as user cyrus in the node's view of the machine, with the node's `-C` in second place. */
  async run(command: string, ...args: string[]): Promise<CommandOutcome> {
    const conf = ['-C', join(this.folder, 'imapd.conf')];
    const [program = '', ...line] = [...this.asOnIt(command), ...conf, ...args];
    return new Promise((resolve, reject) => {
      const bounds = { timeout: 60_000, maxBuffer: 256 * 1024 * 1024 };
      execFile(program, line, { encoding: 'latin1', ...bounds }, (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(new Error(`${this.name}: ${command} could not be run or took too long`, { cause: error }));
      });
    });
  }

  /** The words by which a program is started as user cyrus in the node's view of the machine. */
  asOnIt(program: string): string[] {
    return ['unshare', '-m', '--', 'bash', VIEW, this.folder, program];
  }

  /** Ends everything of this node at once, without waiting; the folder stays. */
  discard(): void {
    if (this.#master?.pid !== undefined) signalGroup(this.#master.pid, 'SIGKILL');
    this.#syslog.kill('SIGKILL');
  }

  get #outputFile(): string {
    return join(this.folder, 'log/master.out');
  }

  async #listenToSyslog(): Promise<void> {
    if (this.#syslog.stdout === null) throw new Error('the syslog has no standard output');
    const lines = createInterface({ input: this.#syslog.stdout });
    await once(lines, 'line');
    lines.on('line', (line) => this.log.push(line));
  }

  async #greets(bound: number): Promise<void> {
    const services: Record<CyrusRole, [Address, RegExp][]> = {
      master: [[this.mupdate, /^\* AUTH/]],
      backend: [
        [this.imap, /^\* OK/],
        [this.lmtp, /^220/],
      ],
      replica: [
        [this.imap, /^\* OK/],
        [this.csync, /^\* /],
      ],
      // A frontend's mupdate greets nobody before it has the master's whole list.
      frontend: [
        [this.mupdate, /^\* AUTH/],
        [this.imap, /^\* OK/],
        [this.lmtp, /^220/],
      ],
    };
    for (const [address, greeting] of services[this.role]) {
      await until(`${this.name} greets on port ${address.port}`, () => this.#greeted(address, greeting), bound);
    }
  }

  async #greeted(address: Address, greeting: RegExp): Promise<boolean> {
    const master = this.#master;
    if (master === undefined || master.exitCode !== null || master.signalCode !== null) {
      const output = readFileSync(this.#outputFile, 'latin1');
      throw new Error(`${this.name} ended while starting:\n${[...this.log.slice(-15), output].join('\n')}`);
    }
    return greeting.test(await firstLine(address));
  }

  /** The master leads a process group of its own, and its services are in it: all of them are gone afterwards. */
  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const group = this.#master?.pid;
    this.#master = undefined;
    if (group === undefined) return;
    signalGroup(group, signal);
    let alone = 0;
    const gone = until(
      `${this.name} is gone`,
      () => {
        const running = runningIn(group);
        // Cyrus 3.6's master may miss the end of its last services, and then waits for them for ever, busily.
        alone = running.length === 1 && running[0] === group ? alone + 1 : 0;
        if (alone > ALONE_LOOKS) signalGroup(group, 'SIGKILL');
        return running.length === 0;
      },
      STOP_BOUND_MS,
    );
    await gone.catch(() => {
      signalGroup(group, 'SIGKILL');
    });
    await until(`${this.name} is gone`, () => !groupRuns(group), STOP_BOUND_MS);
  }
}

function startSyslog(folder: string): ChildProcess {
  const program = ['perl', join(import.meta.dirname, 'syslog.pl'), join(folder, 'run/devlog')];
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function writeAccounts(plan: CyrusPlan): Promise<void> {
  const file = join(plan.folder, 'conf/sasldb2');
  for (const [user, password] of accounts(plan)) {
    const writer = spawn('saslpasswd2', ['-c', '-p', '-f', file, '-u', servername(plan), user], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    writer.stdin.end(password);
    const [code] = (await once(writer, 'exit')) as [number | null];
    if (code !== 0)
      throw new Error(`saslpasswd2 could not make ${user}@${servername(plan)} (exit code ${code ?? 'none'})`);
  }
}

/** The first line a server says; empty when there is no server, or none that speaks within two seconds. */
async function firstLine(address: Address): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(address);
    const settle = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(2_000, settle);
    socket.on('error', settle).on('close', settle);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\n')) settle();
    });
  });
}
