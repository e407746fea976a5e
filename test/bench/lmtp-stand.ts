// The three ways from smtp-source to smtp-sink that are compared: straight, through haproxy, through Rookery.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { openScratchDirectory } from '../harness/directory.ts';
import { startRedis, type ScratchRedis } from '../harness/redis.ts';
import { Peer } from './peer.ts';

export const ways = ['direct', 'haproxy', 'rookery'] as const;
export type Way = (typeof ways)[number];

export interface StandOptions {
  /** The program under test; called with `run lmtp --config FILE`. */
  program: string;
  /** How many recipients have mailboxes: 1u@example.org, 2u@example.org, ... as `smtp-source -N` makes them. */
  recipients: number;
  /** The most connections of the proxy to the sink. */
  connections: number;
  /** Where the proxy's V8 CPU profile goes when it ends; undefined for none. */
  profile: string | undefined;
}

/** A loopback address of this process' own, so that fixed ports below the ephemeral range never collide. */
const host = `127.66.${(process.pid >> 8) & 255}.${process.pid & 255}`;
const at = (port: number) => ({ host, port });
const places = { direct: at(10024), haproxy: at(10025), rookery: at(10026) };
const backend = 'sink.example.org';

export class Stand {
  readonly folder: string;
  readonly #redis: ScratchRedis;
  readonly #peers = new Map<Way, Peer>();

  private constructor(folder: string, redis: ScratchRedis) {
    this.folder = folder;
    this.#redis = redis;
  }

  /** Brings everything up; what was started is ended again when something does not come up. */
  static async start(options: StandOptions): Promise<Stand> {
    const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'));
    const stand = new Stand(folder, await startRedis());
    try {
      await loadMailboxes(stand.#redis.socket, options.recipients);
      await stand.#startPeers(options);
    } catch (error) {
      await stand.stop();
      throw error;
    }
    return stand;
  }

  /** Where smtp-source connects to, to go this way. */
  address(way: Way): string {
    return `${host}:${places[way].port}`;
  }

  /** The processes whose time is the price of a way: of Rookery also its Redis. */
  pids(way: Way): { proxy?: number; redis?: number } {
    const proxy = this.#peers.get(way)?.pid;
    if (way === 'direct' || proxy === undefined) return {};
    const redis = this.#redis.pid;
    return way === 'rookery' && redis !== undefined ? { proxy, redis } : { proxy };
  }

  /** The last lines that the proxy has logged. */
  async lastLog(): Promise<string> {
    const log = await readFile(join(this.folder, 'rookery.log'), 'utf8').catch(() => '');
    return log.split('\n').slice(-6).join('\n');
  }

  async stop(): Promise<void> {
    for (const way of ['rookery', 'haproxy', 'direct'] as const) await this.#peers.get(way)?.stop();
    await this.#redis.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #startPeers(options: StandOptions): Promise<void> {
    // As root, smtp-sink wants somebody else to be.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    await this.#start('direct', ['smtp-sink', ...user, '-L', '-m', '2000', this.address('direct'), '1000']);
    await this.#startHaproxy();
    const profile = options.profile && `--cpu-prof --cpu-prof-dir=${resolve(options.profile)}`;
    const command = [options.program, 'run', 'lmtp', '--config', await this.#rookeryConfig(options.connections)];
    await this.#start('rookery', command, profile ? { NODE_OPTIONS: profile } : {});
  }

  async #start(way: Way, command: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
    this.#peers.set(way, await Peer.start(command, places[way], join(this.folder, `${way}.log`), env));
  }

  /** The configuration that the project offers, held to one thread: one process beside one process. */
  async #startHaproxy(): Promise<void> {
    const oneThread = join(this.folder, 'haproxy.cfg');
    await writeFile(oneThread, 'global\n  nbthread 1\n');
    const offered = join(import.meta.dirname, '../../infra/mta/haproxy.cfg');
    const addresses = { LMTP_LISTEN: this.address('haproxy'), LMTP_FRONTEND1: this.address('direct') };
    await this.#start('haproxy', ['haproxy', '-db', '-f', offered, '-f', oneThread], addresses);
  }

  async #rookeryConfig(connections: number): Promise<string> {
    const config = {
      servername: 'bench.example.org',
      data: this.folder,
      redis: { url: this.#redis.socket },
      lmtp: { listen: [places.rookery], workers: 1 },
      backends: { [backend]: { lmtp: { ...places.direct, connections }, mupdate: false } },
      api: { listen: { path: join(this.folder, 'api.sock') } },
    };
    const file = join(this.folder, 'rookery.yaml');
    await writeFile(file, stringify(config));
    return file;
  }
}

async function loadMailboxes(socket: string, count: number): Promise<void> {
  const scratch = await openScratchDirectory(socket);
  const writer = { session: 'bench', server: backend, admin: false, push: true };
  const location = `${backend}!default`;
  try {
    for (let from = 1; from <= count; from += 100) {
      const some = Array.from({ length: Math.min(100, count - from + 1) }, (_, index) => `${from + index}u`);
      await Promise.all(
        some.map((user) => {
          const acl = `${user}\tlrswipkxtecdan\t`;
          return scratch.directory.write({ verb: 'ACTIVATE', name: `user.${user}`, location, acl }, writer);
        }),
      );
    }
  } finally {
    await scratch.close();
  }
}
