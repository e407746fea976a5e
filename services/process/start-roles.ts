// Starts the roles of a process over one Redis and one directory, and stops them in the opposite order.
import { availableParallelism } from 'node:os';
import { readable } from '../address/bytes.ts';
import { readiness } from '../api/health.ts';
import type { Readiness } from '../api/health.ts';
import { addressText } from '../backends/registry.ts';
import type { Address, Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { NearCache } from '../directory/near-cache.ts';
import type { RedisDirectory } from '../directory/redis/redis-directory.ts';
import { distrust } from '../directory/freshness.ts';
import { makeLogger, unsearched } from '../logging/logger.ts';
import type { Logger } from '../logging/logger.ts';
import { MailLog } from '../logging/mail-log.ts';
import { watch } from '../metrics/gauges.ts';
import { Metrics } from '../metrics/metrics.ts';
import { startAutoscalerRole } from './autoscaler-role.ts';
import { ChainMemory } from './chain-memory.ts';
import { startDirectoryRole } from './directory-role.ts';
import { followLifecycle } from './follow-lifecycle.ts';
import { listenFailure } from './listen-failure.ts';
import { startLmtpRole } from './lmtp-role.ts';
import { startLookupRole } from './lookup-role.ts';
import { openDirectory } from './open-directory.ts';
import { openNearCache, stillDone } from './open-near-cache.ts';
import type { OpenNearCache } from './open-near-cache.ts';
import { accessRedis } from './redis-access.ts';
import { RedisOutages } from './redis-outages.ts';
import type { Events, RoleStart, ScalingHands, StartWorkers, StartedRole, WorkersWish } from './role.ts';
import { Reloading } from './reloading.ts';
import type { Prepare } from './reloading.ts';
import { nodeName } from './session-ids.ts';
import { registryOf } from './settings.ts';
import { version } from './version.ts';
import { startWorkerRole } from './worker-role.ts';

export const roles = ['directory', 'lmtp', 'lookup', 'api', 'worker', 'autoscaler'] as const;
export type Role = (typeof roles)[number];

const starters: Record<Role, (start: RoleStart) => Promise<StartedRole>> = {
  directory: startDirectoryRole,
  lmtp: async (start) =>
    start.lmtpProcesses === 1 ? startLmtpRole(start) : (await import('./lmtp-processes.ts')).startLmtpProcesses(start),
  lookup: startLookupRole,
  // Loaded when needed, as the queues are: it is large.
  api: async (start) => (await import('./api-role.ts')).startApiRole(start),
  worker: startWorkerRole,
  autoscaler: startAutoscalerRole,
};

/** How long work under way may take to end, in milliseconds, when a process is stopped: below systemd's 90 s. */
const grace = 30_000;

export interface StartOptions {
  config: Config;
  roles: readonly Role[];
  /** Told where things run, a line each, before `ready`. */
  out: (line: string) => void;
  log?: Logger;
  metrics?: Metrics;
  /** Starts the processors of the queues; only the role worker needs it. */
  startWorkers?: StartWorkers;
  /** What starts workers, or has them started; only the role autoscaler needs it. */
  scaling?: ScalingHands;
  /** Where the configuration was read from, for worker processes. */
  configFile?: string | undefined;
  worker?: WorkersWish;
  /** Where the configuration leaves it open, the role lmtp has a process for each core. */
  spread?: boolean;
  /** This process is one of several of the role lmtp. */
  lmtpPart?: boolean;
}

export interface Running {
  directory: Directory;
  /** Where each role listens. */
  addresses: Partial<Record<Role, Address[]>>;
  /** Resolves when a role has done what it was started for; most never do. Never rejects. */
  done: Promise<string>;
  /** Takes on what can be had of another configuration, whole or not at all, and tells the log. Never rejects. */
  reload(read: () => Config): Promise<void>;
  prepare: Prepare;
  /** What /readyz would say, each look within so many milliseconds. */
  health(within: number): Promise<Readiness>;
  stop(): Promise<void>;
}

/** Starts everything or nothing. Rejects with what went wrong; what had started is stopped then. */
export async function startRoles(options: StartOptions): Promise<Running> {
  const { config, out } = options;
  const log = options.log ?? makeLogger({ level: config.log.level });
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const redis = await accessRedis(config, log);
    stops.push(() => redis.stop());
    out(`Redis    ${redis.name}`);
    const { metrics = new Metrics(version) } = options;
    const outages = new RedisOutages(log);
    const memory = new ChainMemory(config.data, log);
    const directory = await openDirectory(config, {
      memory,
      onDoubt: (doubt) => {
        log.warn({ redis: redis.name, doubt }, 'directory: what is acknowledged may be lost');
      },
      hearer: outages.of('directory'),
      onError: (error) => {
        outages.met('directory', error);
      },
      onLoss: (loss) => {
        log.error({ loss }, 'directory: data were lost: a new epoch begins, in which absence is not proof');
        metrics.countLoss();
      },
    });
    stops.push(() => memory.close());
    stops.push(() => directory.close());
    const mail = unsearched(log);
    const start = roleStart(options, directory, metrics, { log, mail, outages }, stops);
    stops.push(await followLifecycle(start));
    const addresses: Running['addresses'] = {};
    const ends: Promise<string>[] = [];
    const prepares: Prepare[] = [];
    for (const role of options.roles) {
      const started = await startRole(role, start);
      stops.push(() => started.stop());
      addresses[role] = started.addresses;
      if (started.done) ends.push(started.done);
      if (started.prepare) prepares.push((next) => started.prepare?.(next) ?? Promise.resolve(() => undefined));
      Object.assign(start.checks, started.checks);
      out(`${started.name.padEnd(8)} ${started.works ?? started.addresses.map(addressText).join(', ')}`);
    }
    const prepare = prepareAll(prepares, start.registry, [log, mail]);
    const reloading = new Reloading(config, log, prepare);
    const reload = (read: () => Config) => reloading.reload(read);
    const health = (checkTimeout: number) => readiness({ ...start, checkTimeout });
    return { directory, addresses, done: Promise.race(ends), reload, prepare, health, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** All roles are ready for another configuration before the first goes on with it. */
function prepareAll(prepares: readonly Prepare[], registry: Registry, logs: readonly Logger[]): Prepare {
  return async (config) => {
    const commits = await Promise.all(prepares.map((prepare) => prepare(config)));
    return () => {
      for (const log of logs) log.level = config.log.level;
      // Addresses, fences and drains hold from the next message on.
      registry.replace(registryOf(config).all());
      for (const commit of commits) commit();
    };
  };
}

/** As many as there are cores, but no more than are of use beside a Redis. */
function lmtpProcesses({ config, spread = false, lmtpPart = false }: StartOptions): number {
  const { workers } = config.lmtp;
  if (lmtpPart) return 1;
  return workers === 'auto' ? (spread ? Math.min(availableParallelism(), 8) : 1) : workers;
}

async function startRole(role: Role, start: RoleStart): Promise<StartedRole> {
  try {
    return await starters[role](start);
  } catch (error) {
    throw listenFailure(role, error);
  }
}

function roleStart(
  options: StartOptions,
  directory: RedisDirectory,
  metrics: Metrics,
  { log, mail, outages }: { log: Logger; mail: Logger; outages: RedisOutages },
  stops: (() => Promise<void>)[],
): RoleStart {
  const { config, worker = {}, startWorkers = noWorkers, configFile, lmtpPart = false } = options;
  const { scaling = { local: noWorkers, keda: noWorkers } } = options;
  const registry = registryOf(config);
  const standing = () =>
    directory.standing().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`the directory's Redis could not be asked: ${reason}`, { cause: error });
    });
  const doubt = async () => distrust(await standing(), registry.witnesses());
  const trusted = async () => (await doubt()) === undefined;
  watchDirectory(metrics, directory, trusted);
  const watchHere: RoleStart['watch'] = (name, source) => {
    watch(metrics, name, source);
  };
  let events: Promise<Events> | undefined;
  let nearCache: NearCache | undefined;
  const node = nodeName(config.servername);
  return {
    ...{ config, directory, routing: directory.routing, registry, log, outages, metrics, trusted, grace },
    mailLog: new MailLog(mail),
    watch: watchHere,
    events: () => (events ??= openedEvents(config, { log, outages }, watchHere, stops)),
    workers: { start: startWorkers, scaling, wish: worker, configFile },
    ...{ lmtpPart, lmtpProcesses: lmtpProcesses(options) },
    node,
    nearCache: async () => {
      nearCache ??= await openedNearCache({ config, directory, reader: node, log, metrics, watch: watchHere }, stops);
      return nearCache;
    },
    checks: {
      directory: async () => {
        if (nearCache && stillDone(nearCache.state) !== undefined) return undefined;
        const { epoch } = await standing();
        return epoch < 1 ? 'the directory has lost its data' : undefined;
      },
    },
    notes: {
      directory: () => nearCache && stillDone(nearCache.state),
      trust: doubt,
      reconciliation: async () => {
        const { count } = await directory.caseload();
        return count === 0 ? undefined : `${count} open: rookery directory cases`;
      },
      servers: async () => {
        const unknown = [...(await directory.servers()).keys()].filter((server) => !registry.find(server));
        const some = registry.all().length > 0 && unknown.length > 0;
        return some ? `rows of ${unknown.map(readable).join(', ')}, which is no backend` : undefined;
      },
    },
  };
}

function watchDirectory(metrics: Metrics, directory: Directory, trusted: () => Promise<boolean>): void {
  // Whoever can't be asked proves nothing.
  watch(metrics, 'rookery_directory_trusted', async () => [[(await trusted().catch(() => false)) ? 1 : 0]]);
  watch(metrics, 'rookery_directory_epoch', async () => [[(await directory.standing()).epoch]]);
  watch(metrics, 'rookery_reconciliation_cases', async () => [[(await directory.caseload()).count]]);
  watch(metrics, 'rookery_reconciliation_oldest_case_age_seconds', async () => {
    const { oldest } = await directory.caseload();
    return [[oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000]];
  });
}

async function openedNearCache(options: OpenNearCache, stops: (() => Promise<void>)[]): Promise<NearCache> {
  const cache = await openNearCache(options);
  stops.push(() => cache.close());
  return cache;
}

/** Loaded when needed: BullMQ is large. Closed after the role that asked first, and so after all that ring. */
async function openedEvents(
  config: Config,
  { log, outages }: { log: Logger; outages: RedisOutages },
  watch: RoleStart['watch'],
  stops: (() => Promise<void>)[],
): Promise<Events> {
  const { openEvents, watchBacklog, watchTrees } = await import('./open-events.ts');
  const events = openEvents(config, log, outages.of('events'));
  stops.push(() => events.close());
  watchBacklog(config, events.backlog, watch);
  watchTrees(events, watch);
  return events;
}

function noWorkers(): Promise<never> {
  return Promise.reject(new Error('this program has no workers'));
}
