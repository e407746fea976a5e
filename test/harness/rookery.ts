// The real program for a test: `rookery` as its users start it, with a configuration and data of its own.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { until } from './until.ts';

const program = join(import.meta.dirname, '../../services/cli/rookery');

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export class Rookery {
  readonly folder: string;
  readonly configFile: string;
  #child: ChildProcess | undefined;
  #out = '';
  #err = '';

  private constructor(folder: string) {
    this.folder = folder;
    this.configFile = join(folder, 'rookery.yaml');
  }

  /** Lays out a folder with this configuration; `data` is added. Nothing is started. */
  static async layOut(config: object): Promise<Rookery> {
    const folder = await mkdtemp(join(tmpdir(), 'rookery-'));
    // Peers under other users reach the sockets in it.
    await chmod(folder, 0o755);
    const rookery = new Rookery(folder);
    await rookery.configure(config);
    return rookery;
  }

  async configure(config: object): Promise<void> {
    await writeFile(this.configFile, stringify({ data: join(this.folder, 'data'), ...config }));
  }

  /** `rookery up`, or `rookery run ROLE...`; resolves when it has said `ready`. */
  async start(...words: string[]): Promise<void> {
    const args = [...(words.length === 0 ? ['up'] : words), '--config', this.configFile];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#out = '';
    child.stdout.on('data', (data: Buffer) => (this.#out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (this.#err += data.toString()));
    const isReady = () => {
      if (child.exitCode !== null) throw new Error(`rookery ended with ${child.exitCode}:\n${this.#out}${this.#err}`);
      return /^ready$/m.test(this.#out);
    };
    // A second of CPU, which takes long on a machine that runs other tests, too.
    await until('ready', isReady, 60_000);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('rookery does not run');
    return pid;
  }

  /** Standard output so far. */
  get out(): string {
    return this.#out;
  }

  /** The log lines so far, of all starts. */
  get log(): Record<string, unknown>[] {
    const lines = this.#err.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Where a role listens, as the program says: the first `host:port` or path on its line. */
  address(name: 'LMTP' | 'Lookup' | 'MUPDATE' | 'HTTP'): { host: string; port: number } {
    const [, host = '', port] = new RegExp(`^${name} +([^ :]+):(\\d+)`, 'm').exec(this.#out) ?? [];
    return { host, port: Number(port) };
  }

  /** Ends it as an operator would; resolves to its exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    child.kill(signal);
    await once(child, 'exit');
    return child.exitCode;
  }

  /** One command of an operator, with this configuration. */
  async command(...words: string[]): Promise<Ended> {
    const child = spawn(program, [...words, '--config', this.configFile], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended: Ended = { code: null, out: '', err: '' };
    child.stdout.on('data', (data: Buffer) => (ended.out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (ended.err += data.toString()));
    await once(child, 'close');
    return { ...ended, code: child.exitCode };
  }

  /** Ends it and removes what it had. */
  async stop(): Promise<void> {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}
