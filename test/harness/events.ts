// Queues and workers for a test, on a scratch Redis, with short pauses.
import { Backlog } from '../../services/events/backlog.ts';
import { Producer } from '../../services/events/producer.ts';
import type { ProducerOptions } from '../../services/events/producer.ts';
import type { Processor, WorkersStart } from '../../services/events/processor.ts';
import { QueueSet } from '../../services/events/queue-set.ts';
import { startWorkers } from '../../workers/host.ts';
import { quietLog } from './quiet-log.ts';

export interface LogEntry {
  level: string;
  text: string;
  [field: string]: unknown;
}

/** A log that keeps its lines. */
export function keptLog() {
  const lines: LogEntry[] = [];
  const at = (level: string) => (fields: object, text: string) => {
    lines.push({ ...fields, level, text });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The queues of the Redis at this socket; attempts come soon after each other. */
export function openQueues(socket: string, options: Partial<ProducerOptions> = {}) {
  const queues = new QueueSet({ socket }, () => undefined);
  const { jobs, ...others } = options;
  const producer = new Producer({ queues, log: quietLog, pause: 50, ...others, jobs: { pause: 10, ...jobs } });
  const close = async () => {
    await producer.close();
    await queues.close();
  };
  return { queues, producer, backlog: new Backlog(queues), close };
}

/** Workers for the queue `reconcile` alone. */
export function work(socket: string, reconcile: Processor<'reconcile'>, options: Partial<WorkersStart> = {}) {
  return startWorkers({
    ...{ place: { socket }, queues: ['reconcile'], concurrency: 5, grace: 5_000, lostAfter: 1_000, log: quietLog },
    ...{ ...options, processors: { reconcile, counts: notHere } },
  });
}

/** What no test of the other queues works off. */
export function notHere(): Promise<never> {
  return Promise.reject(new Error('this queue is not worked off here'));
}
