// What operators may ask and say of backends, put together by the configuration: for the API, and for one command.
import { LifecycleStore } from '../backends/lifecycle-store.ts';
import type { Registry } from '../backends/registry.ts';
import type { LmtpAccess } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import { pathText } from '../config/walk.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import { Holdings } from '../directory/redis/holdings.ts';
import type { Backlog } from '../events/backlog.ts';
import { replicaQueue } from '../events/queues.ts';
import { BackendConnector } from '../lmtp/backend-connector.ts';
import type { BackendMeans } from '../operations/backend-operations.ts';
import type { PointerSources } from '../operations/backend-pointers.ts';
import { openRunsAt } from '../operations/evacuating.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { wordsOf } from './follow-lifecycle.ts';
import { openBacklog } from './open-events.ts';
import { lookedAt } from './open-directory.ts';
import { evacuationOf } from './open-evacuation.ts';
import { openMoves } from './open-moves.ts';
import type { Moves } from './open-moves.ts';
import { openPlanning } from './open-planning.ts';
import { openMovesNow } from './open-runs.ts';
import { openUsersNow } from './open-users.ts';
import type { Users } from './open-users.ts';
import { onPlanning } from './operations.ts';
import { redisPlace } from './redis-access.ts';
import { replicasOf } from './replicas.ts';
import { backendSettings, registryOf } from './settings.ts';

export interface BackendSources {
  directory: Directory;
  registry: Registry;
  backlog: Pick<Backlog, 'counts'>;
  users: Pick<Users, 'orders' | 'history' | 'promises'>;
  moves: Pick<Moves, 'store' | 'runs' | 'emptying'>;
  evacuate: BackendMeans['evacuate'];
}

/** A look at a backend by an operator takes no longer than that, in milliseconds. */
const patience = 2_000;

/** How many orders, or moves, are open at most, for all to be looked at. */
const mostOpen = 1_000_000;

/** Opens it whether or not Redis answers. */
export function openMeans(
  config: Config,
  { directory, registry, backlog, users, moves, evacuate }: BackendSources,
  hearer: ConnectionHearer = unheard,
): BackendMeans & { begun(): Promise<void>; close(): void } {
  const commandTimeout = 5 * config.directory.redis_timeout * 1000;
  const redis = commandConnection({ place: redisPlace(config), commandTimeout, ...hearer });
  const holdings = new Holdings(redis, config.directory.shards);
  const settings = backendSettings(config);
  const brief = { ...settings, connect_timeout: Math.min(settings.connect_timeout, patience) };
  const pointers: PointerSources = {
    ...{ directory, leases: () => holdings.leases() },
    moves: async () => moves.store.readAll(await moves.store.open(mostOpen)),
    runs: (server) => openRunsAt(server, moves.runs),
    orders: () => openOrders(users.orders),
    promised: async (server) => (await users.promises.read()).servers.get(server)?.users ?? 0,
    replicaJobs: (server) => replicaJobs(server, config, backlog),
  };
  return {
    ...{ registry, directory, pointers, usage: users.history, store: new LifecycleStore(redis) },
    openLmtp: (server: string, access: LmtpAccess) =>
      new BackendConnector(bytesFromText(server), access.addresses, config.servername, brief).open(access),
    imapTimeout: config.workers.imap_timeout * 1000,
    trees: (server) => holdings.trees(server),
    servers: () => directory.servers(),
    mentions: (server) => mentionsOf(config, server),
    evacuate,
    emptying: async (server) => (await moves.emptying.read(bytesFromText(server))).emptying,
    begun: () => connected(redis, commandTimeout),
    close: () => {
      redis.disconnect();
    },
  };
}

async function openOrders(orders: Users['orders']) {
  const names = await orders.open(mostOpen);
  const all = await Promise.all(names.map((name) => orders.read(name).catch(() => undefined)));
  return all.flatMap((kept) => (kept?.order.state === 'open' ? [kept.order] : []));
}

async function replicaJobs(server: string, config: Config, backlog: Pick<Backlog, 'counts'>): Promise<number> {
  if (!replicasOf(config).has(server)) return 0;
  const { waiting, active, delayed } = await backlog.counts(replicaQueue(server));
  return waiting + active + delayed;
}

/** The keys that speak of a backend and of nothing else, or list it: what is to go with it. */
function mentionsOf(config: Config, server: string): string[] {
  const users = Object.entries(config.directory.users).filter(([, user]) => user.server === server);
  const lists = [
    [['placement', 'serverlist'], config.placement.serverlist ?? []],
    [['workers', 'backends'], config.workers.backends],
  ] as const;
  return [
    pathText(['backends', server]),
    ...users.map(([name]) => pathText(['directory', 'users', name])),
    ...lists.filter(([, list]) => list.includes(server)).map(([path]) => `${pathText(path)}: the entry ${server}`),
  ];
}

/** Opens it for one command. Rejects when Redis does not answer. */
export async function openBackends(config: Config): Promise<BackendMeans & { close(): Promise<void> }> {
  const directory = await lookedAt(config);
  const closes: (() => unknown)[] = [() => directory.close()];
  const close = async () => {
    for (const one of closes.reverse()) await one();
  };
  try {
    const users = await openUsersNow(config);
    closes.push(() => {
      users.close();
    });
    const queues = await openBacklog(config);
    closes.push(() => queues.close());
    const moves = openMoves(config);
    closes.push(() => {
      moves.close();
    });
    const registry = registryOf(config);
    const evacuate: BackendMeans['evacuate'] = (server, by) => evacuatedOnce(config, moves, { server, by });
    const means = openMeans(config, { directory, registry, backlog: queues.backlog, users, moves, evacuate });
    closes.push(() => {
      means.close();
    });
    await Promise.all([means.begun(), moves.store.begun()]);
    return { ...means, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opened when it is asked for: most commands on backends plan nothing. */
async function evacuatedOnce(
  config: Config,
  moves: Moves,
  { server, by }: { server: string; by: string },
): Promise<string | undefined> {
  const planning = await openPlanning(config);
  try {
    const rung = await openMovesNow(config);
    try {
      const words = async () => ({ words: await wordsOf(config) });
      const parts = { planning: onPlanning(planning, config), rung, moves, words };
      return await evacuationOf(parts).begin(server, by);
    } finally {
      await rung.close();
    }
  } finally {
    await planning.close();
  }
}
