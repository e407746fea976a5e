// Which backends have a replica, and where it is brought up to them.
import type { Config } from '../config/schema.ts';
import { queueNames, replicaQueue, workedQueueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import type { ReplicaAccess } from '../replication/sync-client.ts';

/** How each backend's own host brings its replica up to it, by the backend's name; those without one are left out. */
export function replicasOf({ backends }: Config): Map<string, ReplicaAccess> {
  const found = new Map<string, ReplicaAccess>();
  for (const [name, { replica }] of Object.entries(backends)) {
    if (!replica) continue;
    const { sync_client: command, imapd_conf: config, options, folder, timeout, connect_timeout } = replica;
    const times = { timeout: timeout * 1000, connectTimeout: connect_timeout * 1000 };
    found.set(name, { command, config, options, folder, ...times });
  }
  return found;
}

/** Every queue that there is. */
export function queuesOf(config: Config): QueueName[] {
  return [...queueNames, ...Array.from(replicasOf(config).keys(), replicaQueue)];
}

/** The queues that workers on this machine work off, unless they are told others. */
export function workedHere({ workers }: Config): QueueName[] {
  return [...workedQueueNames, ...workers.backends.map(replicaQueue)];
}
