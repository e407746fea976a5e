// What a directory node does for those who want to hear of its changes: it makes events of them, and looks for lost bells.
import { startChangeSource } from '../changes/change-source.ts';
import type { Subscriber } from '../changes/subscriber.ts';
import { isAway } from '../redis/away.ts';
import type { Events, RoleStart } from './role.ts';

export interface Feeding {
  stop(): Promise<void>;
}

/** Here, and not in a worker: there may be no worker as long as there is no event. */
export function startFeeding({ config, directory, log }: RoleStart, { trees, counts, replicas }: Events): Feeding {
  const subscribers: Subscriber[] = replicas.any ? [counts, replicas] : [counts];
  const lostAfter = config.workers.lost_after * 1000;
  const sources = subscribers.map((subscriber) =>
    startChangeSource({ ...{ directory, events: trees, subscriber, lostAfter, log } }),
  );
  const quietFor = config.workers.sweep_interval * 1000;
  const sweep = async () => {
    for (const { queue } of subscribers) {
      await trees.sweep(queue, quietFor).catch((error: unknown) => {
        // An outage is told of as one.
        if (!isAway(error)) log.error({ err: error, queue }, 'events: lists without a bell could not be looked for');
      });
    }
  };
  const timer = setInterval(() => void sweep(), quietFor);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(sources.map((source) => source.stop()));
    },
  };
}
