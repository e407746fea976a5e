// Rings for the replicas of backends, for one command of an operator, and waits for what becomes of it.
import type { Config } from '../config/schema.ts';
import type { Bytes } from '../directory/entry.ts';
import type { JobView } from '../events/backlog.ts';
import { followed } from '../events/following.ts';
import { replicaQueue } from '../events/queues.ts';
import { openBacklog } from './open-events.ts';

export interface OpenReplicas {
  /** Has the backend's replica brought up to it for these trees; resolves when Redis has the rings. */
  ring(backend: Bytes, trees: readonly Bytes[]): Promise<void>;
  /** The job about a tree that was rung for, once it is over, or after so many milliseconds. */
  followed(backend: Bytes, tree: Bytes, within: number): Promise<JobView | undefined>;
  close(): Promise<void>;
}

/** Rejects when the events' Redis does not answer. */
export async function openReplicas(config: Config): Promise<OpenReplicas> {
  const queues = await openBacklog(config);
  const { backlog, producer } = queues;
  return {
    ring: (backend, trees) =>
      producer.rung(
        replicaQueue(backend),
        trees.map((tree) => ({ tree })),
      ),
    followed: (backend, tree, within) => followed(backlog, { queue: replicaQueue(backend), payload: { tree } }, within),
    close: () => queues.close(),
  };
}
