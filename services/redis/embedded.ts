// The embedded Redis: a server of our own in the data folder, watched, restarted, and ended with us.
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedisBinary } from './redis-binary.ts';
import { LOCKED, RedisChild, type RedisExit, type RedisLaunch } from './redis-child.ts';
import { makeRedisFolder, redisFolder, redisSettingsFile } from './redis-folder.ts';

export { findRedisBinary } from './redis-binary.ts';
export type { RedisExit } from './redis-child.ts';

export interface EmbeddedRedisOptions {
  /** The data folder; Redis' own files go into its subfolder `redis`. */
  data: string;
  /** When an accepted write is forced to disk; default `always`: see infra/redis/redis.conf for what it costs. */
  appendfsync?: 'always' | 'everysec' | 'no';
  /** The server program; default what findRedisBinary finds. */
  binary?: string;
  /** How long Redis may be silent while starting, in milliseconds; loading its data is no silence. Default 30,000. */
  silenceMs?: number;
  /** How long to wait for a Redis on the same data that is on its way out, in milliseconds. Default 5,000. */
  lockWaitMs?: number;
  /** How long a SIGTERM may take before SIGKILL, in milliseconds. Default 30,000. */
  stopMs?: number;
  /** The first pause before a restart, in milliseconds, doubled with each failure in a row. Default 100. */
  restartMs?: number;
  /** The longest pause before a restart, in milliseconds. Default 10,000. */
  longestRestartMs?: number;
  /** Called at each exit that nobody asked for, with the pause before the restart, in milliseconds. */
  onExit?: (exit: RedisExit, restartInMs: number) => void;
  /** Called with each line Redis logs. */
  onLog?: (line: string) => void;
}

/** A process that ran this long, in milliseconds, was well: the next restart is a quick one again. */
const WELL_MS = 30_000;

export class EmbeddedRedis {
  /** The path of the Unix socket it answers on; stays the same over restarts. */
  readonly socket: string;
  readonly #launch: RedisLaunch;
  readonly #options: EmbeddedRedisOptions;
  readonly #stopping = new AbortController();
  #child: RedisChild;
  #supervision: Promise<void> = Promise.resolve();

  private constructor(launch: RedisLaunch, options: EmbeddedRedisOptions) {
    this.#launch = launch;
    this.#options = options;
    this.socket = launch.socket;
    this.#child = new RedisChild(launch);
  }

  /**
   * Starts the server and waits until it has loaded its data and answers. Throws when no server program is found, when
   * another process' Redis uses the data folder (redisFolder gives its socket to whoever wants to join it), or when
   * the server ends or stays silent; the message carries the server's last lines.
   */
  static async start(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
    needHelpers();
    const binary = options.binary ?? findRedisBinary(options.data);
    if (binary === undefined) throw new Error(`no redis-server or valkey-server found on PATH or in '${options.data}'`);
    const folder = redisFolder(options.data);
    makeRedisFolder(folder);
    const redis = new EmbeddedRedis(
      {
        ...{ binary, settingsFile: redisSettingsFile(), folder: folder.path, socket: folder.socket, lock: folder.lock },
        appendfsync: options.appendfsync ?? 'always',
        lockWaitMs: options.lockWaitMs ?? 5_000,
        onLog: options.onLog ?? (() => undefined),
      },
      options,
    );
    await redis.#begin();
    return redis;
  }

  /** The server's process id, undefined between a crash and the restart. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends the server and waits for its exit. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#child.terminate(this.#options.stopMs ?? 30_000);
    await this.#supervision;
  }

  async #begin(): Promise<void> {
    const outcome = await this.#child.ready(this.#options.silenceMs ?? 30_000);
    if (outcome === 'ready') {
      this.#supervision = this.#supervise();
      return;
    }
    await this.stop();
    throw new Error(outcome === 'silent' ? `Redis did not answer on ${this.socket}` : this.#whyItEnded(outcome));
  }

  #whyItEnded(exit: RedisExit): string {
    if (exit.code === LOCKED) return `another Redis uses '${this.#launch.folder}': end it, or set redis.url to use it`;
    const how = exit.signal ?? `code ${exit.code ?? 'none'}`;
    return `${this.#launch.binary} ended (${how}) instead of starting:\n  ${exit.lastLines.join('\n  ')}`;
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #supervise(): Promise<void> {
    const first = this.#options.restartMs ?? 100;
    let pause = first;
    for (;;) {
      const since = Date.now();
      const exit = await this.#child.exited;
      if (this.#stopped()) return;
      if (Date.now() - since > WELL_MS) pause = first;
      this.#options.onExit?.(exit, pause);
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      if (this.#stopped()) return;
      pause = Math.min(pause * 2, this.#options.longestRestartMs ?? 10_000);
      this.#child = new RedisChild(this.#launch);
    }
  }
}

/** Both come with Debian's and Ubuntu's util-linux, which every installation has. */
function needHelpers(): void {
  for (const helper of [
    ['setpriv', '--pdeathsig', 'KILL', 'true'],
    ['flock', '--no-fork', '/dev/null', 'true'],
  ]) {
    const [program = '', ...args] = helper;
    if (spawnSync(program, args).status !== 0) {
      throw new Error(`the embedded Redis needs a working '${helper.join(' ')}' (util-linux); or set redis.url`);
    }
  }
}
