// One Redis server process on a Unix socket, from its start to its exit.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The exit code by which flock says that another process holds the lock. */
export const LOCKED = 75;

/** How many of Redis' last log lines an exit carries. */
const LAST_LINES = 20;

export interface RedisLaunch {
  binary: string;
  settingsFile: string;
  folder: string;
  socket: string;
  lock: string;
  appendfsync: 'always' | 'everysec' | 'no';
  /** How long to wait for the lock of a Redis that is on its way out, in milliseconds. */
  lockWaitMs: number;
  onLog: (line: string) => void;
}

export interface RedisExit {
  /** The exit code, or null after a signal or when the program could not be started. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines that Redis logged, oldest first. */
  lastLines: readonly string[];
}

export class RedisChild {
  readonly exited: Promise<RedisExit>;
  readonly #process: ChildProcess;
  readonly #socket: string;
  #gone = false;

  constructor(launch: RedisLaunch) {
    const [program, ...args] = commandLine(launch);
    // In a session of its own: the terminal's Ctrl-C must not take Redis away from under a process that still drains.
    this.#process = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#socket = launch.socket;
    this.exited = this.#watch(launch.onLog);
  }

  /** The process id; undefined when the program could not be started or has ended. */
  get pid(): number | undefined {
    return this.#gone ? undefined : this.#process.pid;
  }

  /**
   * Waits until this very process answers on its socket. Loading a large data set may take long: the bound, in
   * milliseconds, is on silence. Gives the exit instead when the process ends first, 'silent' when the bound is hit.
   */
  async ready(boundMs: number): Promise<'ready' | 'silent' | RedisExit> {
    let deadline = Date.now() + boundMs;
    for (;;) {
      const answer = await Promise.race([this.#answer(), this.exited]);
      if (answer === 'ready' || typeof answer === 'object') return answer;
      if (answer === 'loading') deadline = Date.now() + boundMs;
      if (Date.now() > deadline) return 'silent';
      await sleep(10);
    }
  }

  /** SIGTERM, on which Redis forces its files to disk; SIGKILL when it still runs after `boundMs` milliseconds. */
  async terminate(boundMs: number): Promise<RedisExit> {
    this.signal('SIGTERM');
    const killer = setTimeout(() => {
      this.signal('SIGKILL');
    }, boundMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(killer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#gone) this.#process.kill(signal);
  }

  #watch(onLog: (line: string) => void): Promise<RedisExit> {
    const lastLines: string[] = [];
    const keep = (line: string): void => {
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
      onLog(line);
    };
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      if (output !== null) createInterface({ input: output satisfies Readable }).on('line', keep);
    }
    return new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#gone = true;
        resolve({ code, signal, lastLines });
      };
      this.#process.once('error', (error) => {
        keep(error.message);
        if (this.#process.pid === undefined) end(null, null);
      });
      this.#process.once('close', end);
    });
  }

  /** Asks who answers on the socket: a Redis of another process may hold it, and is not ours. */
  #answer(): Promise<'ready' | 'loading' | 'nobody'> {
    return new Promise((resolve) => {
      let text = '';
      const socket = connect(this.#socket);
      const settle = (): void => {
        socket.destroy();
        const ours = text.includes(`process_id:${this.pid ?? 'none'}\r\n`);
        if (!ours) resolve('nobody');
        else resolve(text.startsWith('+PONG') ? 'ready' : 'loading');
      };
      socket.setTimeout(1000, settle);
      socket.on('error', settle).on('close', settle);
      socket.on('connect', () => socket.write('PING\r\nINFO server\r\n'));
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (/process_id:\d+\r\n/.test(text)) settle();
      });
    });
  }
}

/**
 * Both helpers replace themselves by what they start, so the process id stays the same all along. setpriv: when the
 * process that started it dies, even by kill -9, the kernel kills Redis (prctl(2), PR_SET_PDEATHSIG). What it answered
 * is in its append-only file by then; a SIGTERM it could refuse, when its snapshot fails. flock: the server holds the
 * lock itself, so it is free exactly when no server uses the files, and can't go stale.
 */
function commandLine(launch: RedisLaunch): [string, ...string[]] {
  const seconds = (launch.lockWaitMs / 1000).toFixed(3);
  return [
    'setpriv',
    ...['--pdeathsig', 'KILL', '--'],
    ...['flock', '--no-fork', '--wait', seconds, '--conflict-exit-code', String(LOCKED), launch.lock],
    ...[launch.binary, launch.settingsFile, '--dir', launch.folder],
    ...['--unixsocket', launch.socket, '--appendfsync', launch.appendfsync],
  ];
}
