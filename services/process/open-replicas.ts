// Rings for the replicas of backends, and waits for what becomes of it: for the API, and for one command of an operator.
import type { Config } from '../config/schema.ts';
import { followed } from '../events/following.ts';
import { replicaQueue } from '../events/queues.ts';
import type { ReplicaRings } from '../operations/replication-operations.ts';
import { openBacklog } from './open-events.ts';
import type { Events } from './role.ts';

export function replicaRings({ backlog, producer }: Pick<Events, 'backlog' | 'producer'>): ReplicaRings {
  return {
    ring: (backend, trees) =>
      producer.rung(
        replicaQueue(backend),
        trees.map((tree) => ({ tree })),
      ),
    followed: (backend, tree, within) => followed(backlog, { queue: replicaQueue(backend), payload: { tree } }, within),
  };
}

/** Rejects when the events' Redis does not answer. */
export async function openReplicas(config: Config): Promise<ReplicaRings & { close(): Promise<void> }> {
  const queues = await openBacklog(config);
  return { ...replicaRings(queues), close: () => queues.close() };
}
