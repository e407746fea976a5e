// Opens the queues of events that the configuration names, for a role or for one command of an operator.
import type { Config } from '../config/schema.ts';
import { Backlog, jobStates } from '../events/backlog.ts';
import { Producer } from '../events/producer.ts';
import { EventsAway, QueueSet } from '../events/queue-set.ts';
import { queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import type { Sample } from '../metrics/gauges.ts';
import type { Log } from './log.ts';
import type { Events, RoleStart } from './role.ts';
import { eventsPlace, redisName } from './redis-access.ts';

/** Opens them whether or not Redis answers: who rings does not wait for it. */
export function openEvents(config: Config, log: Log): Events & { close(): Promise<void> } {
  const queues = new QueueSet(eventsPlace(config), (error) => {
    log.error({ err: error }, 'events');
  });
  const producer = new Producer({ queues, log });
  const close = async () => {
    await producer.close();
    await queues.close();
  };
  return { producer, backlog: new Backlog(queues), queues, close };
}

/** Opens them for somebody who wants an answer. Throws EventsAway, naming the place, when Redis does not answer. */
export async function openBacklog(config: Config): Promise<{ backlog: Backlog; close(): Promise<void> }> {
  const place = eventsPlace(config);
  const queues = new QueueSet(place, () => undefined);
  try {
    await queues.connected();
  } catch (error) {
    await queues.close();
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new EventsAway(`Redis does not answer at ${redisName(place)}${hint}`, { cause: error });
  }
  return { backlog: new Backlog(queues), close: () => queues.close() };
}

/** Has the gauges of all queues read from the backlog. */
export function watchBacklog(backlog: Backlog, watch: RoleStart['watch']): void {
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

async function ofEach(samples: (queue: QueueName) => Promise<Sample[]>): Promise<Sample[]> {
  return (await Promise.all(queueNames.map(samples))).flat();
}
