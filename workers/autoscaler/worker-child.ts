// One worker process on this machine, from its start to its end; it never outlives us.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { settledWithin } from '../../services/events/bound.ts';

/** How long a worker may take beyond its grace, in milliseconds, to say goodbye to Redis and end. */
const goodbye = 10_000;

/** How a worker process is started. */
export interface WorkerCommand {
  program: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

/** How a process ended: its exit code or signal, in words. */
export type Ending = string;

export class WorkerChild {
  readonly exited: Promise<Ending>;
  readonly startedAt = Date.now();
  readonly #process: ChildProcess;

  constructor({ program, args, env }: WorkerCommand) {
    // setpriv becomes what it starts, and the kernel ends that when we die, even by kill -9 (prctl(2), PR_SET_PDEATHSIG).
    // By SIGTERM: where Redis outlives us, the worker gives its jobs back. In a session of its own, so that a Ctrl-C is
    // for us to hear: a second signal would end a worker that still finishes its jobs.
    this.#process = spawn('setpriv', ['--pdeathsig', 'TERM', '--', program, ...args], {
      ...{ detached: true, env: { ...env }, stdio: ['ignore', 'ignore', 'inherit'] },
    });
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        if (this.#process.pid === undefined) resolve(error.message);
      });
      this.#process.once('exit', (code, signal) => {
        resolve(signal ?? `code ${code ?? 'none'}`);
      });
    });
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** SIGTERM, on which it takes no more jobs and ends when those it has are done; SIGKILL when it has not in time. */
  async end(grace: number): Promise<Ending> {
    this.#process.kill('SIGTERM');
    if (!(await settledWithin(this.exited, grace + goodbye))) this.#process.kill('SIGKILL');
    return await this.exited;
  }
}

/** It comes with Debian's and Ubuntu's util-linux, which every installation has. */
export function needSetpriv(): void {
  if (spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true']).status !== 0) {
    throw new Error(
      "worker processes need a working 'setpriv --pdeathsig' (util-linux); or set scaling.local to false",
    );
  }
}
