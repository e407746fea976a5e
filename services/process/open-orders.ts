// Takes orders of users for one command of an operator.
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { Producer } from '../events/producer.ts';
import { QueueSet } from '../events/queue-set.ts';
import { openMoveOf } from '../moves/open-move.ts';
import { Ordering } from '../users/ordering.ts';
import { lackAsked } from './asking-backends.ts';
import { openMoves } from './open-moves.ts';
import { lookedAt } from './open-directory.ts';
import { openUsersNow } from './open-users.ts';
import type { Users } from './open-users.ts';
import { eventsPlace } from './redis-access.ts';

export interface OpenOrders extends Pick<Users, 'decisions'> {
  ordering: Ordering;
  close(): Promise<void>;
}

/** The directory, opened for each question: new users are ordered without it. */
function seenOnce(config: Config): Pick<Directory, 'lookup'> {
  return {
    async lookup(names) {
      const directory = await lookedAt(config);
      try {
        return await directory.lookup(names);
      } finally {
        await directory.close();
      }
    },
  };
}

/** Rejects when the events' Redis does not answer. */
export async function openOrders(config: Config): Promise<OpenOrders> {
  const users = await openUsersNow(config);
  const moves = openMoves(config);
  const queues = new QueueSet(eventsPlace(config));
  await Promise.all([queues.connected(), moves.store.begun()]);
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const producer = new Producer({ queues, log: silent });
  const ring = (name: string) => {
    producer.ring('placement', { name });
  };
  return {
    ordering: new Ordering({
      ...{ orders: users.orders, ring, directory: seenOnce(config), lacks: lackAsked(config) },
      moving: (name) => openMoveOf(name, moves.store),
    }),
    decisions: users.decisions,
    async close() {
      await producer.close();
      await queues.close();
      users.close();
      moves.close();
    },
  };
}
