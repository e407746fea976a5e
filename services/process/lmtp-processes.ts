// The role `lmtp` in several processes that share its addresses: they are started, replaced when they die, and asked.
import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Readiness } from '../api/health.ts';
import { addressText } from '../backends/registry.ts';
import type { Address } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import { bind } from '../listening/bind.ts';
import { clearStaleSocket } from '../listening/stale-socket.ts';
import type { Figures } from '../metrics/metrics.ts';
import type { FromPart, ToPart } from './lmtp-parts.ts';
import { entrancesOf } from './lmtp-doors.ts';
import { redisPlace } from './redis-access.ts';
import type { RoleStart, StartedRole } from './role.ts';

/** The first pause before a process is started in place of one that died, in milliseconds; doubled each time. */
const firstPause = 100;
const longestPause = 10_000;
/** One that ran this long, in milliseconds, was well. */
const well = 30_000;
/** How long one may take to answer a question, in milliseconds; Prometheus gives up after 10 s. */
const patience = 5_000;
/** What it takes to end, in milliseconds, when all that was under way has been cut off. */
const toEnd = 5_000;

/** Rejects when the first of them can't serve; nothing is left running then. */
export async function startLmtpProcesses(start: RoleStart): Promise<StartedRole> {
  const group = new Group(start, await reachable(start.config));
  try {
    await group.start();
  } catch (error) {
    await group.stop();
    throw error;
  }
  for (const note of ['directory', 'backends']) start.notes[note] = () => group.told(note);
  start.metrics.join(() => group.figures());
  start.watch('rookery_lmtp_processes', () => [[group.serving]]);
  return {
    ...{ name: 'LMTP', addresses: group.addresses, works: group.works },
    checks: { lmtp: () => group.problem(), directory: () => group.trouble('directory') },
    prepare: (config) => group.prepare(config),
    stop: () => group.stop(),
  };
}

/**
 * The configuration for the processes: TCP ports as they are (0 is chosen now, and who is there already is known now, for
 * SO_REUSEPORT would let two of us listen side by side; a Unix socket they have from node:cluster), the Redis that this process has, a part of each backend's
 * connections.
 */
async function reachable(config: Config): Promise<(config: Config, processes: number) => Config> {
  const listen = structuredClone(config.lmtp.listen);
  const { socket_mode } = config.lmtp;
  for (const [index, { address }] of entrancesOf(config).entries()) {
    if ('path' in address) {
      await clearStaleSocket(address.path);
      continue;
    }
    const probe = createServer();
    const bound = await bind(probe, address, Number.parseInt(socket_mode, 8));
    await new Promise((closed) => probe.close(closed));
    if ('port' in bound) Object.assign(listen[index] ?? {}, { port: bound.port });
  }
  const place = redisPlace(config);
  return (current, processes) => {
    const own = structuredClone(current);
    for (const [index, listener] of own.lmtp.listen.entries()) Object.assign(listener, addressOf(listen[index]));
    for (const { lmtp } of Object.values(own.backends)) {
      if (lmtp) lmtp.connections = Math.max(1, Math.floor(lmtp.connections / processes));
    }
    return own.redis || !('socket' in place) ? own : { ...own, redis: { url: place.socket } };
  };
}

function addressOf(listener: Config['lmtp']['listen'][number] | undefined): object {
  return listener && 'port' in listener ? { port: listener.port } : {};
}

class Group {
  readonly #start: RoleStart;
  readonly #parts: Part[] = [];
  readonly #configFor: (config: Config, processes: number) => Config;
  #config: Config;
  #stopping = false;
  #pause = firstPause;

  constructor(start: RoleStart, configFor: (config: Config, processes: number) => Config) {
    this.#start = start;
    this.#config = start.config;
    this.#configFor = configFor;
  }

  get addresses(): Address[] {
    return this.#parts[0]?.addresses ?? [];
  }

  get works(): string {
    return `${this.addresses.map(addressText).join(', ')} (${this.#wanted} processes)`;
  }

  get serving(): number {
    return this.#parts.filter((part) => part.addresses !== undefined).length;
  }

  get #wanted(): number {
    return this.#start.lmtpProcesses;
  }

  problem(): string | undefined {
    return this.serving > 0 ? undefined : `none of ${this.#wanted} processes serves`;
  }

  async start(): Promise<void> {
    cluster.setupPrimary({
      exec: join(import.meta.dirname, `lmtp-process${extname(import.meta.filename)}`),
      args: [],
      serialization: 'advanced',
    });
    const parts = Array.from({ length: this.#wanted }, () => this.#begin());
    await Promise.all(parts.map((part) => part.served));
  }

  #begin(): Part {
    const part = new Part(cluster.fork(), this.#configFor(this.#config, this.#wanted));
    this.#parts.push(part);
    void part.ended.then((ending) => {
      this.#parts.splice(this.#parts.indexOf(part), 1);
      if (!this.#stopping) void this.#replace(part, ending);
    });
    return part;
  }

  /** It was not told to end. Its sessions are lost, the others' go on. */
  async #replace(part: Part, ending: string): Promise<void> {
    const { log, metrics } = this.#start;
    this.#pause = Date.now() - part.begun >= well ? firstPause : this.#pause;
    log.error(
      { process: part.pid, ending, pause_ms: this.#pause },
      'lmtp: a process ended by itself; another one is started',
    );
    metrics.count('rookery_lmtp_process_deaths_total');
    await sleep(this.#pause);
    this.#pause = Math.min(this.#pause * 2, longestPause);
    // What it then says of itself, dead or alive, is seen to like the others'.
    if (!this.#stopping) this.#begin().served.catch(() => undefined);
  }

  async figures(): Promise<Figures[]> {
    const told = await Promise.allSettled(
      this.#parts.map((part) => part.ask((number) => ({ do: 'tell figures', number }))),
    );
    return told.flatMap((one) => (one.status === 'fulfilled' && one.value.figures ? [one.value.figures] : []));
  }

  /** What is wrong for all processes; undefined while mail gets through one of them. */
  async trouble(check: string): Promise<string | undefined> {
    const said = (await this.#health()).map(({ checks }) => checks[check]);
    return said.includes('ok') ? undefined : (said[0] ?? 'no process tells');
  }

  /** What one of them has to tell. */
  async told(note: string): Promise<string | undefined> {
    const said = (await this.#health()).map(({ notes }) => notes[note]);
    return said.find((one) => one !== undefined && one !== 'ok');
  }

  async #health(): Promise<Readiness[]> {
    const told = await Promise.allSettled(
      this.#parts.map((part) => part.ask((number) => ({ do: 'tell health', number }))),
    );
    return told.flatMap((one) => (one.status === 'fulfilled' && one.value.health ? [one.value.health] : []));
  }

  /** All of them are ready, or none goes on with it. */
  async prepare(config: Config): Promise<() => void> {
    const own = this.#configFor(config, this.#wanted);
    const parts = [...this.#parts];
    await Promise.all(parts.map((part) => part.ask((number) => ({ do: 'prepare', number, config: own }))));
    return () => {
      this.#config = config;
      for (const part of parts) {
        // One that does not answer has died, and is replaced by one with the new configuration.
        void part.ask((number) => ({ do: 'commit', number })).catch(() => undefined);
      }
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#parts.map((part) => part.stop(this.#config.lmtp.shutdown_grace * 1000 + toEnd)));
  }
}

class Part {
  /** Where it listens, once it does. */
  addresses: Address[] | undefined;
  readonly begun = Date.now();
  /** Rejects when it can't, or ends before. */
  readonly served: Promise<void>;
  /** Resolves to its exit code or signal. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #asked = new Map<number, (answer: FromPart & { is: 'answer' }) => void>();
  #questions = 0;

  constructor(worker: Worker, config: Config) {
    this.#worker = worker;
    this.ended = once(worker, 'exit').then((ending: unknown[]) => {
      const [code, signal] = ending;
      this.addresses = undefined;
      return String(signal ?? code);
    });
    this.served = new Promise((resolve, reject) => {
      void this.ended.then((ending) => {
        reject(new Error(`a process ended with ${ending} while it started`));
      });
      worker.on('message', (message: FromPart) => {
        if (message.is === 'answer') this.#asked.get(message.number)?.(message);
        else if (message.is === 'failed') reject(new Error(message.why));
        else {
          this.addresses = message.addresses;
          resolve();
        }
      });
    });
    this.served.catch(() => undefined);
    // A process that has gone cannot be told anything: its exit says so.
    worker.on('error', () => undefined);
    this.#tell({ do: 'start', config });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  #tell(message: ToPart): void {
    if (this.#worker.isConnected()) this.#worker.send(message, undefined, () => undefined);
  }

  /** Rejects when it can't do it, or does not answer in time. */
  async ask(question: (number: number) => ToPart): Promise<FromPart & { is: 'answer' }> {
    const number = ++this.#questions;
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<FromPart & { is: 'answer' }>((resolve, reject) => {
      this.#asked.set(number, resolve);
      timer = setTimeout(() => {
        reject(new Error(`the process ${this.pid} does not answer`));
      }, patience);
    });
    this.#tell(question(number));
    try {
      const answer = await answered;
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(number);
    }
  }

  /** Has it end what is under way, and kills it after `bound` milliseconds. */
  async stop(bound: number): Promise<void> {
    this.#tell({ do: 'stop' });
    const late = setTimeout(() => this.#worker.process.kill('SIGKILL'), bound);
    await this.ended;
    clearTimeout(late);
  }
}
