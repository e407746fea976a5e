// Opens what users are ordered, placed and explained with: their orders, the promises of space, what backends said of it.
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Counts } from '../changes/counts.ts';
import type { Config } from '../config/schema.ts';
import { Promises } from '../placement/promises.ts';
import { UsageHistory } from '../placement/usage-history.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { DecisionStore } from '../users/decision-store.ts';
import { OrderStore } from '../users/order-store.ts';
import { Placing } from '../users/placing.ts';
import { followingFlags, placementPolicy } from './placement-settings.ts';
import { eventsPlace, redisName } from './redis-access.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

export interface Users {
  orders: OrderStore;
  decisions: DecisionStore;
  history: UsageHistory;
  promises: Promises;
  /** Chooses places; `admins` asks backends of which no figure is known. */
  placing: (registry: Registry, admins: ImapAdmins, counts: Pick<Counts, 'byServer'>) => Placing;
  close(): void;
}

/** Opens them whether or not Redis answers. */
export function openUsers(config: Config, hearer: ConnectionHearer = unheard): Users {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const orders = new OrderStore(redis, config.users.orders_kept);
  const decisions = new DecisionStore(redis, config.users.orders_kept);
  const history = new UsageHistory(redis, config.usage.history);
  const promises = new Promises(redis);
  const policy = placementPolicy(config);
  const placing: Users['placing'] = (registry, admins, counts) => {
    const users = async () =>
      new Map([...(await counts.byServer())].map(([server, figures]) => [server, figures.users]));
    return new Placing({
      policy: followingFlags(policy, registry),
      promises,
      decisions,
      history,
      registry,
      admins,
      users,
    });
  };
  const close = () => {
    redis.disconnect();
  };
  return { orders, decisions, history, promises, placing, close };
}

/** Opens them for somebody who wants an answer. Rejects, naming the place, when Redis does not answer. */
export async function openUsersNow(config: Config): Promise<Users> {
  const place = eventsPlace(config);
  const redis = commandConnection({ place, commandTimeout: patience, ...unheard });
  try {
    await connected(redis, patience);
  } catch (error) {
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new Error(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  } finally {
    redis.disconnect();
  }
  const users = openUsers(config);
  await users.orders.begun();
  return users;
}
