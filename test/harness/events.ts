// The queues of events and their workers in a test, on a scratch Redis, with short pauses.
import type { TestContext } from 'node:test';
import { Backlog } from '../../services/events/backlog.ts';
import type { JobState } from '../../services/events/backlog.ts';
import { DeadLetters } from '../../services/events/dead-letters.ts';
import { JobFailure } from '../../services/events/failure.ts';
import { Producer } from '../../services/events/producer.ts';
import type { ProducerOptions } from '../../services/events/producer.ts';
import type { Desk, Processor, Processors, WorkersStart } from '../../services/events/processor.ts';
import { QueueSet } from '../../services/events/queue-set.ts';
import type { QueueName } from '../../services/events/queues.ts';
import type { Retries } from '../../services/events/retry.ts';
import { startWorkers } from '../../workers/host.ts';
import { quietLog } from './quiet-log.ts';
import { until } from './until.ts';

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

/** The same for one test, once Redis answers. */
export async function queuesFor(t: TestContext, socket: string) {
  const opened = openQueues(socket);
  t.after(() => opened.close());
  await opened.queues.connected();
  const { backlog } = opened;
  /** The jobs of a queue in a state, once there are so many. */
  const settled = async (queue: QueueName, state: JobState, count: number) => {
    await until(`${count} ${state}`, async () => (await backlog.counts(queue))[state] === count);
    return backlog.jobs(queue, [state], 100);
  };
  return { ...opened, settled };
}

/** Workers for the queues that have a processor here. */
export function workOn(socket: string, processors: Processors, options: Partial<WorkersStart> = {}) {
  return startWorkers({
    ...{ place: { socket }, concurrency: 5, grace: 5_000, lostAfter: 1_000, retries: shortRetries, name: 'test/1' },
    kept: { done: { count: 1_000, age: 3_600 }, dead: { count: 1_000, age: 3_600 } },
    ...{ log: quietLog, ...options, processors },
  });
}

/** The same, stopped when the test ends. */
export function workersFor(t: TestContext, ...start: Parameters<typeof workOn>) {
  const workers = workOn(...start);
  t.after(() => workers.stop());
  return workers;
}

/** Workers for the queue `reconcile` alone. */
export function work(socket: string, reconcile: Processor<'reconcile'>, options: Partial<WorkersStart> = {}) {
  return workOn(socket, { reconcile }, options);
}

/** Leaves a failed job in the queue `reconcile`, about this mailbox and refused for this reason; resolves to its id. */
export async function leaveFailedJob(socket: string, name: string, reason: string): Promise<string> {
  const { producer, backlog, queues, close } = openQueues(socket);
  await queues.connected();
  const failing = work(socket, () => Promise.reject(new JobFailure('refused', reason)));
  producer.ring('reconcile', { name });
  const found = async () => (await backlog.jobs('reconcile', ['failed'], 100)).find(({ subject }) => subject === name);
  await until('it failed', async () => (await found()) !== undefined);
  const id = (await found())?.id ?? '';
  await failing.stop();
  await close();
  return id;
}
