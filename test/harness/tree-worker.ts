// Starts, kills and stops worker processes of trees' lists, and reads what they have written.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TreeWorkerOptions } from './tree-events.ts';
import { until } from './until.ts';

const program = join(import.meta.dirname, 'tree-worker-process.ts');

export class TreeWorker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #out = '';

  constructor(options: TreeWorkerOptions) {
    this.#child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (data: Buffer) => (this.#out += data.toString()));
    this.#ended = once(this.#child, 'exit');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when it has printed this. */
  says(text: string): Promise<void> {
    return until(`worker ${this.pid} says ${text}`, () => this.#out.includes(text), 60_000);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }
}
