// The queues of events and their workers in a test, on a scratch Redis, with short pauses.
import { Backlog } from '../../services/events/backlog.ts';
import { DeadLetters } from '../../services/events/dead-letters.ts';
import { Producer } from '../../services/events/producer.ts';
import type { ProducerOptions } from '../../services/events/producer.ts';
import type { Desk, Processor, Processors, WorkersStart } from '../../services/events/processor.ts';
import { QueueSet } from '../../services/events/queue-set.ts';
import type { Retries } from '../../services/events/retry.ts';
import { startWorkers } from '../../workers/host.ts';
import { quietLog } from './quiet-log.ts';

/** Attempts that come soon after each other. */
export const shortRetries: Retries = {
  away: { attempts: 5, pause: 5, longest: 20 },
  busy: { attempts: 8, pause: 5, longest: 5 },
  fault: { attempts: 3, pause: 5, longest: 20 },
  newer: { pause: 20, atMost: 60_000 },
};

/** Where a processor's words go that nobody wants to hear. */
export const quietDesk: Desk = { log: () => undefined, progress: () => undefined, traceparent: undefined };

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

/** The queues of the Redis at this socket. */
export function openQueues(socket: string, options: Partial<ProducerOptions> = {}) {
  const queues = new QueueSet({ socket });
  const producer = new Producer({ queues, log: quietLog, pause: 50, ...options });
  const close = async () => {
    await producer.close();
    await queues.close();
  };
  return { queues, producer, backlog: new Backlog(queues), deadLetters: new DeadLetters(queues), close };
}

/** Workers for the queues that have a processor here. */
export function workOn(socket: string, processors: Processors, options: Partial<WorkersStart> = {}) {
  return startWorkers({
    ...{ place: { socket }, concurrency: 5, grace: 5_000, lostAfter: 1_000, retries: shortRetries, name: 'test/1' },
    kept: { done: { count: 1_000, age: 3_600 }, dead: { count: 1_000, age: 3_600 } },
    ...{ log: quietLog, ...options, processors },
  });
}

/** Workers for the queue `reconcile` alone. */
export function work(socket: string, reconcile: Processor<'reconcile'>, options: Partial<WorkersStart> = {}) {
  return workOn(socket, { reconcile }, options);
}
