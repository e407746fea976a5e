// A program that a benchmark runs beside others: started until it serves, ended with the benchmark.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class Peer {
  readonly #what: string;
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(what: string, child: ChildProcess, log: string) {
    this.#what = what;
    this.#child = child;
    this.#log = log;
  }

  /** Starts a program, its output going to the file `log`, and waits until it accepts connections at the address. */
  static async start(
    command: readonly string[],
    at: { host: string; port: number },
    log: string,
    env: NodeJS.ProcessEnv = {},
  ): Promise<Peer> {
    const [program = '', ...args] = command;
    const output = openSync(log, 'a');
    const child = spawn(program, args, { stdio: ['ignore', output, output], env: { ...process.env, ...env } });
    closeSync(output);
    child.on('error', () => undefined);
    const peer = new Peer(program, child, log);
    await peer.#serving(at);
    return peer;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#ended()) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exit;
    clearTimeout(timer);
  }

  async #serving(at: { host: string; port: number }): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await accepts(at))) {
      if (!this.#ended() && Date.now() < deadline) {
        await sleep(50);
        continue;
      }
      await this.stop();
      const log = readFileSync(this.#log, 'utf8').split('\n').slice(-10).join('\n');
      const why = this.#child.pid === undefined ? 'could not be started: is it installed?' : `does not serve\n${log}`;
      throw new Error(`${this.#what} at ${at.host}:${at.port} ${why}`);
    }
  }

  #ended(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

async function accepts(at: { host: string; port: number }): Promise<boolean> {
  const socket = connect(at);
  const accepted = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return accepted;
}
