// Opens the queues of events that the configuration names, for a role or for one command of an operator.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { Counts } from '../changes/counts.ts';
import type { Config } from '../config/schema.ts';
import { Backlog, jobStates } from '../events/backlog.ts';
import { DeadLetters } from '../events/dead-letters.ts';
import { Producer } from '../events/producer.ts';
import { readDemand } from '../events/demand-reader.ts';
import { EventsAway, QueueSet } from '../events/queue-set.ts';
import { SetAside } from '../events/set-aside.ts';
import { TreeEvents } from '../events/tree-events.ts';
import type { TreeLoad } from '../events/tree-lists.ts';
import { WaitingJobs } from '../events/waiting-jobs.ts';
import { treeQueueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { Replicas } from '../replication/replicas.ts';
import type { Sample } from '../metrics/gauges.ts';
import type { Log } from './log.ts';
import type { Events, RoleStart } from './role.ts';
import { eventsPlace, redisName } from './redis-access.ts';
import { queuesOf, replicasOf } from './replicas.ts';

/** Opens them whether or not Redis answers: who rings does not wait for it. */
export function openEvents(config: Config, log: Log, hearer: ConnectionHearer): Events & { close(): Promise<void> } {
  const queues = new QueueSet(eventsPlace(config), hearer);
  const producer = new Producer({ queues, log });
  const close = async () => {
    await producer.close();
    await queues.close();
  };
  const trees = new TreeEvents(queues);
  const demand: Events['demand'] = (queue) => readDemand(queues, queue);
  const replicas = new Replicas(producer, replicasOf(config).keys());
  const views = viewsOf(queues, trees);
  return { producer, queues, trees, replicas, demand, ...views, counts: new Counts(queues), close };
}

function viewsOf(queues: QueueSet, trees: TreeEvents) {
  return {
    ...{ backlog: new Backlog(queues), deadLetters: new DeadLetters(queues), waiting: new WaitingJobs(queues) },
    setAside: new SetAside(trees),
  };
}

/** The queues, for somebody who wants an answer. */
type OpenQueues = Pick<Events, 'backlog' | 'deadLetters' | 'setAside' | 'waiting' | 'demand' | 'producer'> & {
  /** Every queue that the configuration knows. */
  names: readonly QueueName[];
  close(): Promise<void>;
};

/** Opens them for somebody who wants an answer. Throws EventsAway, naming the place, when Redis does not answer. */
export async function openBacklog(config: Config): Promise<OpenQueues> {
  const place = eventsPlace(config);
  const queues = new QueueSet(place);
  try {
    await queues.connected();
  } catch (error) {
    await queues.close();
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new EventsAway(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  const producer = new Producer({ queues, log: silent });
  const close = async () => {
    await producer.close();
    await queues.close();
  };
  const views = viewsOf(queues, new TreeEvents(queues));
  return { names: queuesOf(config), ...views, producer, demand: (queue) => readDemand(queues, queue), close };
}

/** Who gives one command is told by its end. */
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Has the gauges of all queues read from the backlog. */
export function watchBacklog(config: Config, backlog: Backlog, watch: RoleStart['watch']): void {
  const ofEach = async (samples: (queue: QueueName) => Promise<Sample[]>): Promise<Sample[]> =>
    (await Promise.all(queuesOf(config).map(samples))).flat();
  watch('rookery_queue_jobs', () =>
    ofEach(async (queue) => {
      const counts = await backlog.counts(queue);
      return jobStates.map((state) => [counts[state], queue, state]);
    }),
  );
  watch('rookery_queue_oldest_job_age_seconds', () =>
    ofEach(async (queue) => [[await backlog.oldestAge(queue), queue]]),
  );
}

/** Has the gauges of the trees' lists, and what is counted by server, read. */
export function watchTrees({ trees, counts }: Pick<Events, 'trees' | 'counts'>, watch: RoleStart['watch']): void {
  const ofLists = async (samples: (load: TreeLoad, queue: QueueName) => Sample[]) => {
    const found = treeQueueNames.map(async (queue) => samples(await trees.lists(queue).load(), queue));
    return (await Promise.all(found)).flat();
  };
  watch('rookery_tree_events', () => ofLists(({ events }, queue) => [[events, queue]]));
  watch('rookery_tree_events_set_aside', () => ofLists(({ dead }, queue) => [[dead, queue]]));
  watch('rookery_tree_oldest_event_age_seconds', () =>
    ofLists(({ oldest }, queue) => [[oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000, queue]]),
  );
  watch('rookery_trees', () =>
    ofLists((load, queue) => [
      [load.trees, queue, 'waiting'],
      [load.troubled, queue, 'troubled'],
    ]),
  );
  for (const figure of ['mailboxes', 'users'] as const) {
    watch(`rookery_${figure}`, async () =>
      Array.from(await counts.byServer(), ([server, figures]) => [figures[figure], readable(server)] as const),
    );
  }
}

/** Has the workers look into these names at once, for one command of an operator. Rejects when Redis does not answer. */
export async function ringReconcile(config: Config, names: readonly Bytes[]): Promise<void> {
  const queues = await openBacklog(config);
  try {
    await queues.producer.rung(
      'reconcile',
      names.map((name) => ({ name })),
    );
  } finally {
    await queues.close();
  }
}
