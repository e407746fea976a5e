// What moves are measured with: two real Cyrus backends and a frontend, and Rookery in processes whose costs can be told apart.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Redis } from 'ioredis';
import type { Change } from '../../services/directory/directory.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import type { Move } from '../../services/moves/move.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import { CYRUS_PASSWORD } from '../harness/cyrus.ts';
import type { Address } from '../harness/cyrus-config.ts';
import { openScratchDirectory } from '../harness/directory.ts';
import type { ScratchDirectory } from '../harness/directory.ts';
import { Murder } from '../harness/murder.ts';
import type { Backend } from '../harness/murder.ts';
import { startRedis } from '../harness/redis.ts';
import type { ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';
import { cpuMs, treeCpuMs } from './process-cpu.ts';

/** How long a run may take, in milliseconds. */
const patience = 3_600_000;

/** How records of moves are kept, in seconds. */
const kept = 86_400;

/** CPU time so far, in milliseconds. */
export interface Cpu {
  worker: number;
  directory: number;
  redis: number;
  /** All three servers. */
  cyrus: number;
}

export interface RunOutcome {
  /** With their times. */
  moves: Move[];
  /** From the start of the run to its end. */
  seconds: number;
  /** Of the directory meanwhile, in order. */
  changes: Change[];
}

export class MovesStand {
  readonly murder: Murder;
  readonly #redis: ScratchRedis;
  readonly #scratch: ScratchDirectory;
  readonly #worker: Rookery;
  readonly #proxy: Rookery;
  #plans = 0;

  private constructor(
    murder: Murder,
    redis: ScratchRedis,
    scratch: ScratchDirectory,
    others: { worker: Rookery; proxy: Rookery },
  ) {
    this.murder = murder;
    this.#redis = redis;
    this.#scratch = scratch;
    this.#worker = others.worker;
    this.#proxy = others.proxy;
  }

  /** Directory and one proxy in one process, another proxy, and a worker with so many jobs at a time. */
  static async start(concurrency: number, moves: object = {}): Promise<MovesStand> {
    const redis = await startRedis();
    const murder = await Murder.start({
      program: ['run', 'directory', 'lmtp'],
      sections: {
        redis: { url: redis.socket },
        workers: { concurrency },
        moves: { observe: 0, ...moves },
        placement: { serverlist_select_mode: 'random' },
      },
    });
    const { sections, listen } = await configurationOf(murder);
    const same = { ...sections, lmtp: { ...(sections['lmtp'] as object), listen } };
    const [worker, proxy] = [await Rookery.layOut(same), await Rookery.layOut(same)];
    await worker.start('run', 'worker');
    await proxy.start('run', 'lmtp');
    return new MovesStand(murder, redis, await openScratchDirectory(redis.socket), { worker, proxy });
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
    await this.#proxy.stop();
    await this.#scratch.close();
    await this.murder.stop();
    await this.#redis.stop();
  }

  get proxies(): readonly Address[] {
    return [this.murder.rookery.address('LMTP'), this.#proxy.address('LMTP')];
  }

  /** Of the Redis. */
  get socket(): string {
    return this.#redis.socket;
  }

  cpu(): Cpu {
    const nodes = [...this.murder.backends, 'frontend'].map((name) => this.murder.cyrus.node(name).pid ?? 0);
    return {
      cyrus: nodes.reduce((sum, pid) => sum + treeCpuMs(pid), 0),
      worker: treeCpuMs(this.#worker.pid),
      directory: treeCpuMs(this.murder.rookery.pid),
      redis: this.#redis.pid === undefined ? Number.NaN : cpuMs(this.#redis.pid),
    };
  }

  /** Resolves when nothing is left to be reconciled. */
  async settled(): Promise<void> {
    const { directory } = this.#scratch;
    await until('all is settled', async () => (await directory.caseNames()).length === 0, 120_000);
  }

  /** Moves all of these by a plan, so many at a time. */
  async run(names: readonly string[], to: Backend, limit: number): Promise<RunOutcome> {
    const { directory } = this.#scratch;
    const changes: Change[] = [];
    const feed = directory.follow(await directory.head(), {
      change: (change) => void changes.push(change),
      lost: (reason) => {
        throw new Error(reason);
      },
    });
    try {
      return { ...(await this.#run(names, to, limit)), changes };
    } finally {
      feed.close();
    }
  }

  async #run(names: readonly string[], to: Backend, limit: number): Promise<Omit<RunOutcome, 'changes'>> {
    const file = join(this.murder.rookery.folder, `bench-${(this.#plans += 1)}.plan`);
    const users = join(this.murder.rookery.folder, `bench.users`);
    await writeFile(users, names.join('\n'));
    const planned = await this.#command('plan', '--file', users, '--to', to, '--output', file);
    if (planned.code !== 0) throw new Error(`plan: ${planned.out}${planned.err}`);
    const limits = `total=${limit},source=${limit},destination=${limit},partition=${limit}`;
    const started = await this.#command('start', file, '--yes', '--limit', limits);
    const id = /run ([\w-]+)/i.exec(started.out)?.[1] ?? '';
    if (started.code !== 0) throw new Error(`start: ${started.out}${started.err}`);
    const runs = new RunStore(this.#redisOf, kept);
    const ended = async () => {
      const run = (await runs.read(id))?.run;
      if (run?.state === 'stopped') throw new Error(`the run has stopped: ${run.why}`);
      return run?.ended !== undefined;
    };
    await until('the run is over', ended, patience);
    const moves = await new MoveStore(this.#redisOf, kept).readAll(names);
    const failed = moves.filter(({ state }) => state !== 'done');
    if (moves.length !== names.length || failed.length > 0)
      throw new Error(`not moved: ${failed.map(({ name, note }) => `${name}: ${note}`).join('; ')}`);
    const run = (await runs.read(id))?.run;
    return { moves, seconds: ((run?.ended ?? 0) - (run?.since ?? 0)) / 1000 };
  }

  /** One after another in one session of cyradm at the frontend; in seconds, from its start to its end. */
  async cyradm(names: readonly string[], to: Backend): Promise<number> {
    const { host, port } = this.murder.frontend.imap;
    const script = join(this.murder.rookery.folder, 'bench.cyradm');
    await writeFile(script, [...names.map((name) => `renamemailbox ${name} ${name} ${to}`), 'quit', ''].join('\n'));
    const begun = performance.now();
    const login = ['--user', 'cyrus', '--password', CYRUS_PASSWORD.cyrus, '--auth', 'PLAIN', '--notls', '--norc'];
    await said('bash', [
      '-c',
      `exec cyradm "$@" < ${script}`,
      'cyradm',
      ...login,
      '--server',
      host,
      '--port',
      `${port}`,
    ]);
    const seconds = (performance.now() - begun) / 1000;
    await this.#allAt(names, to);
    return seconds;
  }

  /** One after another in one session at the source itself; in seconds. */
  async xfer(names: readonly string[], from: Backend, to: Backend): Promise<number> {
    const begun = performance.now();
    await this.murder.admin(from, async (imap) => {
      for (const name of names) await imap.ok(`XFER ${name} ${to}`);
    });
    const seconds = (performance.now() - begun) / 1000;
    await this.#allAt(names, to);
    return seconds;
  }

  get #redisOf(): Redis {
    return this.#scratch.redis;
  }

  #command(...words: string[]) {
    return this.murder.rookery.command('move', ...words);
  }

  async #allAt(names: readonly string[], to: Backend): Promise<void> {
    const { entries } = await this.#scratch.directory.lookup(names);
    const astray = entries.filter((row) => row?.state !== 'active' || !row.location.startsWith(`${to}!`));
    if (astray.length > 0) throw new Error(`${astray.length} are not at ${to}`);
  }
}

async function configurationOf(murder: Murder) {
  const sections = parse(await readFile(murder.rookery.configFile, 'utf8')) as Record<string, unknown>;
  delete sections['data'];
  return { sections, listen: [{ host: '127.0.0.1', port: 0 }] };
}

function said(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { env: { ...process.env, TERM: 'dumb' }, timeout: patience }, (error, out, err) => {
      if (error) reject(new Error(`${command}: ${error.message}\n${out}${err}`));
      else resolve(out);
    });
  });
}
