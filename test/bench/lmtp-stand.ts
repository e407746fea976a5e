// The ways from smtp-source to smtp-sink that are compared: straight, and through each of the proxies.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { startCyrus, CYRUS_PASSWORD, mupdateUser, type Cyrus } from '../harness/cyrus.ts';
import { CYRUS_PORTS } from '../harness/cyrus-config.ts';
import { startRedis, type ScratchRedis } from '../harness/redis.ts';
import { AuthRelay } from './auth-relay.ts';
import { layOutDovecot } from './dovecot.ts';
import { loadMailboxes } from './lmtp-mailboxes.ts';
import { Peer } from './peer.ts';
import { cpuMs, treeCpuMs, treeRss } from './process-cpu.ts';

export const ways = ['direct', 'haproxy', 'dovecot', 'cyrus', 'rookery', 'lookups'] as const;
export type Way = (typeof ways)[number];

export interface Address {
  host: string;
  port: number;
}

export interface StandOptions {
  /** The ways to have; direct and rookery are always there. */
  ways: readonly Way[];
  /** The program under test; called with `run lmtp --config FILE`. */
  program: string;
  /** How many recipients have mailboxes. */
  mailboxes: number;
  /** How many rows the Rookery that looks up may keep in memory. */
  nearCache: number;
  /** One process or thread for each proxy, or one for each core. */
  workers: 1 | 'auto';
  /** The most connections of the proxy to a sink. */
  connections: number;
  /** Where the proxy's V8 CPU profile goes when it ends; undefined for none. */
  profile: string | undefined;
  /** Where Dovecot is unpacked; undefined: it is fetched. */
  dovecot: string | undefined;
}

/** Loopback addresses of this process' own, so that fixed ports below the ephemeral range never collide. */
const own = `${(process.pid >> 8) & 255}.${process.pid & 255}`;
const host = `127.66.${own}`;
const at = (port: number) => ({ host, port });
/** Their names in the directory are their addresses, where a Cyrus frontend looks for the service `lmtp`. */
const sinks = [at(10023), { host: `127.67.${own}`, port: 10023 }] as const;
const names = sinks.map((sink) => sink.host);
const places = { haproxy: at(10025), dovecot: at(10026), rookery: at(10027), lookups: at(10029), mupdate: at(10028) };
/** A frontend takes in 100,000 mailboxes before it greets; in milliseconds. */
const patience = 300_000;

export class Stand {
  readonly folder: string;
  readonly ways: readonly Way[];
  readonly #redis: ScratchRedis;
  readonly #peers = new Map<string, Peer>();
  readonly #relays: AuthRelay[] = [];
  #cyrus: Cyrus | undefined;

  private constructor(folder: string, redis: ScratchRedis, some: readonly Way[]) {
    this.folder = folder;
    this.#redis = redis;
    this.ways = some;
  }

  /** Brings everything up; what was started is ended again when something does not come up. */
  static async start(options: StandOptions): Promise<Stand> {
    const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'));
    const stand = new Stand(folder, await startRedis(), options.ways);
    try {
      await loadMailboxes(stand.#redis.socket, options.mailboxes, names);
      await stand.#startPeers(options);
    } catch (error) {
      await stand.stop();
      throw error;
    }
    return stand;
  }

  /** Where smtp-source connects to, to go this way. */
  address(way: Way): Address {
    if (way === 'direct') return sinks[0];
    return way === 'cyrus' ? this.#frontend.preauthorisedLmtp : places[way];
  }

  /** Where the copies of a message for two backends go without any proxy. */
  get sinks(): readonly Address[] {
    return sinks;
  }

  /** CPU time so far of a way's processes, in milliseconds, and of Rookery's Redis; NaN where there is none. */
  cpu(way: Way): { proxy: number; redis: number } {
    const redis = way === 'rookery' || way === 'lookups' ? this.#redis.pid : undefined;
    const pid = this.#pid(way);
    return { proxy: pid === undefined ? Number.NaN : treeCpuMs(pid), redis: redis ? cpuMs(redis) : Number.NaN };
  }

  /** What the processes of Rookery hold in memory, in bytes. */
  rss(): number {
    return treeRss(this.#pid('rookery') ?? 0);
  }

  /** The last lines that a proxy has logged. */
  async lastLog(way: Way): Promise<string> {
    const log = await readFile(join(this.folder, `${way}.log`), 'utf8').catch(() => '');
    return log.split('\n').slice(-6).join('\n');
  }

  async stop(): Promise<void> {
    await this.#cyrus?.stop();
    for (const relay of this.#relays) await relay.stop();
    for (const peer of [...this.#peers.values()].reverse()) await peer.stop();
    await this.#redis.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #frontend() {
    if (this.#cyrus === undefined) throw new Error('there is no Cyrus frontend');
    return this.#cyrus.node('frontend');
  }

  #pid(way: Way): number | undefined {
    if (way === 'direct') return undefined;
    return way === 'cyrus' ? this.#frontend.pid : this.#peers.get(way)?.pid;
  }

  async #startPeers(options: StandOptions): Promise<void> {
    // As root, smtp-sink wants somebody else to be.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    for (const [index, sink] of sinks.entries()) {
      const command = ['smtp-sink', ...user, '-L', '-m', '2000', `${sink.host}:${sink.port}`, '1000'];
      await this.#start(`sink${index + 1}`, command, sink);
    }
    const threads = options.workers === 'auto' ? cpus().length : 1;
    if (this.ways.includes('haproxy')) await this.#startHaproxy(threads);
    if (this.ways.includes('dovecot')) await this.#startDovecot(threads, options.dovecot);
    if (this.ways.includes('cyrus')) await this.#startCyrus(options);
    await this.#startRookery('rookery', options, {});
    if (this.ways.includes('lookups')) {
      await this.#startRookery('lookups', options, { directory: { near_cache: options.nearCache } });
    }
  }

  async #startRookery(way: 'rookery' | 'lookups', options: StandOptions, more: object): Promise<void> {
    const config = await this.#configure(way, { ...rookeryConfig(way, options), ...more });
    const command = [options.program, 'run', 'lmtp', '--config', config];
    const folder = options.profile && join(resolve(options.profile), way);
    const env = folder ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` } : {};
    await this.#start(way, command, places[way], env);
  }

  async #start(name: string, command: string[], address: Address, env: NodeJS.ProcessEnv = {}): Promise<void> {
    this.#peers.set(name, await Peer.start(command, address, join(this.folder, `${name}.log`), env));
  }

  /** The configuration that the project offers. */
  async #startHaproxy(threads: number): Promise<void> {
    const more = join(this.folder, 'haproxy.cfg');
    await writeFile(more, `global\n  nbthread ${threads}\n`);
    const offered = join(import.meta.dirname, '../../infra/mta/haproxy.cfg');
    const text = ({ host: name, port }: Address) => `${name}:${port}`;
    const addresses = { LMTP_LISTEN: text(places.haproxy), LMTP_FRONTEND1: text(sinks[0]) };
    await this.#start('haproxy', ['haproxy', '-db', '-f', offered, '-f', more], places.haproxy, addresses);
  }

  async #startDovecot(processes: number, unpacked: string | undefined): Promise<void> {
    const folder = join(this.folder, 'dovecot');
    const ends = { listen: places.dovecot, backend: sinks[0] };
    const command = await layOutDovecot({ ...ends, folder, processes, unpacked });
    await this.#start('dovecot', command, places.dovecot);
  }

  /** Its master is our directory, in a process of its own that has nothing to do with the mail. */
  async #startCyrus(options: StandOptions): Promise<void> {
    const users = { [mupdateUser('frontend')]: { password: CYRUS_PASSWORD.mupdate, access: 'read' } };
    const directory = { listen: [places.mupdate], users };
    const config = await this.#configure('directory', { directory });
    await this.#start('directory', [options.program, 'run', 'directory', '--config', config], places.mupdate);
    for (const sink of sinks) {
      this.#relays.push(await AuthRelay.start({ host: sink.host, port: CYRUS_PORTS.lmtp }, sink));
    }
    const settings = { frontend: [`serverlist: ${sinks[0].host}`] };
    const murder = { mupdate: places.mupdate, nodes: [], frontend: true, options: settings };
    this.#cyrus = await startCyrus({ ...murder, start: false });
    await this.#frontend.start(patience);
  }

  async #configure(name: string, sections: object): Promise<string> {
    const everywhere = {
      ...{ servername: 'bench.example.org', data: join(this.folder, `${name}.data`) },
      redis: { url: this.#redis.socket },
      backends: Object.fromEntries(sinks.map((sink) => [sink.host, { lmtp: sink, mupdate: false }])),
      api: { listen: { path: join(this.folder, `${name}.sock`) } },
    };
    const file = join(this.folder, `${name}.yaml`);
    await writeFile(file, stringify({ ...everywhere, ...sections }));
    return file;
  }
}

function rookeryConfig(way: 'rookery' | 'lookups', { workers, connections }: StandOptions): object {
  return {
    lmtp: { listen: [places[way]], workers, sessions_limit: 100_000 },
    backends: Object.fromEntries(sinks.map((sink) => [sink.host, { lmtp: { ...sink, connections }, mupdate: false }])),
  };
}
