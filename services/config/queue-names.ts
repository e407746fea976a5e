// The queues by their names, as the configuration, and whoever has to do with one of them, may name them.
import { z } from 'zod';

/** The queues that every installation has; besides there are those of its replicas. */
export const queueNames = ['placement', 'moves', 'plans', 'replication', 'reconcile', 'usage', 'counts'] as const;
export type CommonQueue = (typeof queueNames)[number];

/**
 * Trees that the replica of one backend may be behind with. A queue for each backend, for only its own host can do anything
 * about it: a worker elsewhere would have to hand such a job on again and again.
 */
export type ReplicaQueue = `replication@${string}`;
export type QueueName = CommonQueue | ReplicaQueue;

/** BullMQ allows no `:` in a queue's name. */
const replicaQueuePattern = /^replication@[A-Za-z0-9_.-]{1,255}$/;

/** Queues in words, as they may be named. */
export const queueWords = [...queueNames, 'replication@BACKEND'].join(', ');

const noQueue = `it may be one of ${queueWords}`;

/** A queue by its name, of whichever backend. */
export const queueName = z.union([
  z.enum(queueNames, noQueue),
  z.string(noQueue).regex(replicaQueuePattern, noQueue),
]) as z.ZodType<QueueName>;

export function replicaQueue(backend: string): ReplicaQueue {
  return `replication@${backend}`;
}

/** Whether a backend of this name can have such a queue. */
export function canBeReplicated(backend: string): boolean {
  return replicaQueuePattern.test(replicaQueue(backend));
}

export function isQueueName(name: string): name is QueueName {
  return (queueNames as readonly string[]).includes(name) || replicaQueuePattern.test(name);
}
