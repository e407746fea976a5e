// The door for event-driven platforms, with AWS Lambda's signature: each call works until the queues are empty or its time
// is nearly over. Whatever calls it (a schedule, a message, HTTP) is only a bell: what is to be done lies in the queues.
import { z } from 'zod';
import { loadConfig } from '../../services/config/load.ts';
import type { RunEnd } from '../../services/events/processor.ts';
import { queueName, queueWords } from '../../services/events/queues.ts';
import { makeLogger } from '../../services/logging/logger.ts';
import { Metrics } from '../../services/metrics/metrics.ts';
import { needBackends } from '../../services/process/needed-backends.ts';
import type { StartWorkers } from '../../services/process/role.ts';
import { startRoles } from '../../services/process/start-roles.ts';
import { version } from '../../services/process/version.ts';
import { serve } from '../../workers/serve.ts';

/** What is used of the platform's context, where there is one: some platforms hand over none, or another one. */
export interface Context {
  /** How long the platform lets the call run yet, in milliseconds. */
  getRemainingTimeInMillis?(): number;
}

/** How long a call works where nobody says how long it may, in milliseconds: less than the platforms' usual minute. */
const usual = 50_000;

export interface Drained {
  /** Why the call has ended. */
  ended: string;
  /** How many runs of jobs ended in which way. */
  runs: Partial<Record<RunEnd, number>>;
}

/** What is left of a call's time for closing connections, in milliseconds. */
const margin = 1_000;

/** What an event may ask for; what else is in it is the platform's. */
const wishes = z.looseObject({
  queues: z.array(queueName).min(1).optional(),
  concurrency: z.int().min(1).max(1_000).optional(),
  idle: z.number().positive().max(86_400).optional(),
});
const mayBe = new Map<PropertyKey | undefined, string>([
  ['queues', `a list of queues: ${queueWords}`],
  ['concurrency', 'a whole number of jobs from 1 to 1000'],
  ['idle', 'a number of seconds above 0, up to 86400'],
]);

/**
 * Starts workers, and ends them again: between two calls the platform freezes the process, and a connection or a lock that
 * was kept would break unseen. Rejects on a wrong event, a wrong configuration (ROOKERY_CONFIG, ROOKERY_*), and when Redis
 * does not answer; then the platform may call again. Where the platform does not say how long the call may run, it ends
 * after 50 seconds.
 */
export async function handler(event: unknown, context?: Context): Promise<Drained> {
  const remaining = context?.getRemainingTimeInMillis?.() ?? usual;
  const { queues, concurrency, idle = 0.5 } = wishesOf(event);
  const config = configOf(process.env);
  needBackends(config, queues);
  const runs: Drained['runs'] = {};
  const startWorkers: StartWorkers = (start) => Promise.resolve(serve({ ...start, measure: counting(runs) }));
  const log = makeLogger({ level: config.log.level });
  const running = await startRoles({
    ...{ config, roles: ['worker'], log, startWorkers, out: () => undefined },
    // Nobody asks this process for them.
    metrics: new Metrics(version, { ofProcess: false }),
    worker: {
      ...{ queues, concurrency },
      drain: { idle: idle * 1_000, deadline: Math.max(0, remaining - margin) },
    },
  });
  try {
    return { ended: await running.done, runs };
  } finally {
    await running.stop();
  }
}

function wishesOf(event: unknown): z.output<typeof wishes> {
  const read = wishes.safeParse(event ?? {});
  if (read.success) return read.data;
  const faults = read.error.issues.map(
    ({ path }) => `${path.join('.') || 'the event'}: it may be ${mayBe.get(path[0]) ?? 'an object'}`,
  );
  throw new Error(`the event asks for what cannot be done: ${faults.join('; ')}`);
}

function configOf(env: NodeJS.ProcessEnv): ReturnType<typeof loadConfig> {
  const file = env['ROOKERY_CONFIG'];
  const config = loadConfig({ env, ...(file !== undefined && { file }) });
  if (config.redis) return config;
  throw new Error('redis.url (ROOKERY_REDIS__URL) is missing: a function has no Redis of its own');
}

function counting(runs: Drained['runs']): NonNullable<Parameters<StartWorkers>[0]['measure']> {
  return {
    run: (_queue, end) => {
      runs[end] = (runs[end] ?? 0) + 1;
    },
    dead: () => undefined,
  };
}
