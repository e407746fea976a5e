// A backend behind a relay that writes down what it takes, and can be killed, stopped and started again.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LmtpRelay } from './lmtp-relay.ts';

/** A message that the backend has taken, written down before it said so. */
export interface Stored {
  /** In milliseconds since 1970. */
  at: number;
  /** The port that it came from. */
  peer: number;
  /** The names by which the MTA's session and the proxy went, of the Received line. */
  session: string;
  proxy: string;
  id: string;
  /** SHA-1 of the message without the Received line. */
  hash: string;
  /** Those it was taken for, without brackets; in the order of RCPT, one that is given twice twice. */
  rcpts: string[];
}

export class RecordingBackend {
  readonly name: string;
  readonly relay: LmtpRelay;
  readonly #file: string;
  #seed: number;
  #child: ChildProcess | undefined;

  private constructor(name: string, relay: LmtpRelay, folder: string, seed: number) {
    this.name = name;
    this.relay = relay;
    this.#file = join(folder, `${name}.jsonl`);
    this.#seed = seed;
  }

  static async start(name: string, folder: string, seed: number): Promise<RecordingBackend> {
    const backend = new RecordingBackend(name, await LmtpRelay.listen(name), folder, seed);
    await backend.begin();
    return backend;
  }

  async begin(): Promise<void> {
    const program = join(import.meta.dirname, 'recording-backend-process.ts');
    const child = fork(program, [this.#file, String((this.#seed += 1))]);
    this.#child = child;
    const [address] = (await once(child, 'message')) as [{ port: number }];
    this.relay.target = address.port;
  }

  async kill(): Promise<void> {
    this.relay.target = undefined;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async close(): Promise<void> {
    await this.kill();
    this.relay.close();
  }

  stored(): (Stored & { backend: string })[] {
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    // One may have been killed within a line: it has not said anything of it.
    const whole = lines.filter((line) => line.endsWith('}'));
    return whole.map((line) => ({ ...(JSON.parse(line) as Stored), backend: this.name }));
  }
}
