// Runs the processors of named queues in one process until it is stopped.
import type { Processors, RunningWorkers } from '../services/events/processor.ts';
import type { QueueName } from '../services/events/queues.ts';
import { workerConnection } from '../services/redis/connection.ts';
import { QueueWorker } from './host-queue.ts';
import type { HostStart } from './host-queue.ts';

/**
 * Starts a worker for each queue. It takes jobs as soon as Redis answers, and again whenever it comes back. Throws where
 * a queue is asked for that has no processor.
 */
export function startWorkers(start: HostStart): RunningWorkers {
  const queues = start.queues ?? worked(start.processors);
  for (const queue of queues) requireProcessor(queue, start.processors);
  // Each worker tells of its failures, those of the connection among them.
  const connection = workerConnection({ place: start.place, onError: () => undefined });
  const workers = queues.map((queue) => new QueueWorker(queue, start, connection));
  return {
    queues,
    get busy() {
      return workers.reduce((sum, worker) => sum + worker.busy, 0);
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
      connection.disconnect();
    },
  };
}

function worked(processors: Processors): QueueName[] {
  return (Object.keys(processors) as QueueName[]).filter((name) => processors[name]);
}

function requireProcessor(queue: QueueName, processors: Processors): void {
  if (processors[queue]) return;
  const there = worked(processors);
  throw new Error(`nothing in this version works on the queue '${queue}': there are workers for ${there.join(', ')}`);
}
