// The role `worker`: works off the queues of events.
import { queueNames } from '../events/queues.ts';
import { eventsPlace } from './redis-access.ts';
import { timesOf } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startWorkerRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, registry, log, workers } = start;
  const { queues = queueNames, concurrency = config.workers.concurrency } = workers.wish;
  const { trees, counts } = await start.events();
  const running = await workers.start({
    ...{ place: eventsPlace(config), queues, concurrency, directory, registry, log },
    ...{ trees, counts },
    times: timesOf(config),
    imapTimeout: config.workers.imap_timeout * 1000,
    grace: config.workers.shutdown_grace * 1000,
    lostAfter: config.workers.lost_after * 1000,
  });
  return {
    name: 'Worker',
    addresses: [],
    works: `${queues.join(', ')}, ${concurrency} jobs at a time`,
    stop: () => running.stop(),
  };
}
