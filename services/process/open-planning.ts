// Opens what moves are planned with: the directory, figures and promises of room, the moves that there are, the backends.
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import { Counts } from '../changes/counts.ts';
import type { Config } from '../config/schema.ts';
import { QueueSet } from '../events/queue-set.ts';
import { CyrusPartitions } from '../moves/cyrus-partitions.ts';
import type { Move } from '../moves/move.ts';
import { MoveStore } from '../moves/move-store.ts';
import type { PlanningMeans } from '../moves/planning.ts';
import { RunStore } from '../moves/run-store.ts';
import { Promises } from '../placement/promises.ts';
import { newestFacts } from '../placement/usage-facts.ts';
import { UsageHistory } from '../placement/usage-history.ts';
import { OrderStore } from '../users/order-store.ts';
import { commandConnection, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { wordsOf } from './follow-lifecycle.ts';
import { lookedAt } from './open-directory.ts';
import { followingFlags, placementPolicy } from './placement-settings.ts';
import { eventsPlace, redisName } from './redis-access.ts';
import { registryOf } from './settings.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

/** More than ever are open at a time. */
const mostOpen = 100_000;

/** Of how many runs, the newest, it is learnt how long a move takes, until so many moves are known. */
const mostRuns = 20;
const enough = 200;

export interface OpenPlanning {
  means: PlanningMeans;
  close(): Promise<void>;
}

interface Beside {
  directory: PlanningMeans['directory'];
  registry: Registry;
  counts: Pick<Counts, 'byServer'>;
}

interface PlanningBeside extends OpenPlanning {
  /** Rejects where Redis does not answer. */
  begun(): Promise<void>;
}

/** Opens it for a process that has the rest already, whether or not Redis answers. */
export function planningBeside(config: Config, beside: Beside, hearer: ConnectionHearer = unheard): PlanningBeside {
  const { directory, registry, counts } = beside;
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const store = new MoveStore(redis, config.moves.keep_done);
  const runs = new RunStore(redis, config.moves.keep_done);
  const history = new UsageHistory(redis, config.usage.history);
  const promises = new Promises(redis);
  const orders = new OrderStore(redis, config.users.orders_kept);
  const admins = new ImapAdmins(registry, config.workers.imap_timeout * 1000);
  const partitions = new CyrusPartitions(admins, () => Promise.resolve([]));
  const policy = followingFlags(placementPolicy(config), registry);
  const users = async () => new Map([...(await counts.byServer())].map(([server, figures]) => [server, figures.users]));
  const done = async () => {
    const over: Move[] = [];
    for (const { id } of await runs.list(mostRuns)) {
      over.push(...(await store.ofRun(id)).filter(({ state }) => state === 'done'));
      if (over.length >= enough) break;
    }
    return over;
  };
  return {
    means: {
      ...{ directory, registry, admins, policy, chance: Math.random, now: Date.now },
      figures: () => newestFacts({ policy, registry, history, admins, users }),
      promised: async () => (await promises.read()).servers,
      ordered: () => orders.open(mostOpen),
      hasPartition: (server, partition) => partitions.has(server, partition),
      moves: {
        open: async () => store.readAll(await store.open(mostOpen)),
        waiting: () => runs.waitingOfAll(),
        done,
      },
    },
    begun: () => store.begun(),
    async close() {
      await admins.close();
      redis.disconnect();
    },
  };
}

/** Opens all of it for one command of an operator. Rejects, naming the place, when Redis does not answer. */
export async function openPlanning(config: Config): Promise<OpenPlanning> {
  const place = eventsPlace(config);
  const registry = registryOf(config);
  const directory = await lookedAt(config);
  const queues = new QueueSet(place);
  const opened = planningBeside(config, { directory, registry, counts: new Counts(queues) });
  const close = async () => {
    await opened.close();
    await queues.close();
    await directory.close();
  };
  try {
    await Promise.all([queues.connected(), opened.begun()]);
    registry.hear(await wordsOf(config));
  } catch (error) {
    await close();
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new Error(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  return { means: opened.means, close };
}
