// The section `scaling`: how many workers each pool of queues may have, and how their number follows what waits.
import { z } from 'zod';
import { listener } from './address.ts';
import { key } from './key.ts';
import { count, flag, seconds } from './kinds.ts';
import { queueName, queueWords } from './queue-names.ts';

const everyQueue = 'all queues that no other pool has';

const pool = z.strictObject({
  queues: key(z.exactOptional(z.array(queueName).min(1)), {
    doc: 'The queues that the workers of this pool work off.',
    expects: `a list of one or more of ${queueWords}`,
    example: ['placement'],
    otherwise: everyQueue,
  }),
  concurrency: count({
    doc: 'How many jobs of each queue a worker of this pool works on at a time.',
    min: 1,
    max: 1000,
    default: 10,
  }),
  min: count({
    doc: 'How many workers there are while there is nothing to do. With 0 the first job waits until one has started, about a second.',
    min: 0,
    max: 1000,
    default: 0,
  }),
  max: count({ doc: 'The most workers.', min: 1, max: 1000, default: 4 }),
  target_per_worker: count({
    doc: 'How many jobs may be in line for each worker: with more than that, the pool grows.',
    min: 1,
    max: 1_000_000,
    default: 100,
  }),
  age_objective: seconds({
    doc: 'How long a job may wait in line before the pool grows, however few are in line.',
    default: 30,
  }),
  cooldown: seconds({
    doc: 'How long there must have been nothing to do before the pool goes down to `min`.',
    default: 60,
  }),
  step_up: count({ doc: 'The most workers that come at a time.', min: 1, max: 1000, default: 2 }),
  step_down: count({ doc: 'The most workers that go at a time.', min: 1, max: 1000, default: 1 }),
  up_every: seconds({
    doc: 'The shortest time between two times of growth: those that came last should have begun to work by then.',
    default: 3,
  }),
  down_every: seconds({
    doc: 'How long fewer workers must have been enough before some go, so that their number does not follow each wave.',
    default: 30,
  }),
  backend_limit: key(z.exactOptional(z.int().min(1).max(100_000)), {
    doc: 'The most jobs of this pool that one backend may have to deal with at a time. All of them may be for the same backend, so there are never more workers than have this many together.',
    expects: 'a whole number from 1 to 100000, at least the concurrency',
    example: 40,
    otherwise: 'none',
  }),
});

/** Short enough to be a part of names in systemd and Kubernetes. */
const poolName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/);

export const scalingSection = key(
  z
    .strictObject({
      local: flag({
        doc: 'Whether `rookery up` starts and ends worker processes of its own as the pools need them. Off, its one process works off the queues itself, which takes up less memory and begins at once; on, what a job does to its process does not concern mail, and all cores are used.',
        default: false,
      }),
      interval: seconds({
        doc: 'How often the number of workers is decided on. A look is a few questions to Redis for each queue.',
        default: 1,
      }),
      keda: key(z.exactOptional(listener({ port: 8026, path: '/run/rookery/keda.sock' })), {
        doc: 'Where the role autoscaler answers KEDA as its external scaler (gRPC without TLS), so that Kubernetes starts the first worker at once; each trigger names its pool in the metadata `pool`.',
        expects: '{ host, port } or { path }',
        example: { host: '0.0.0.0', port: 8026 },
        otherwise: 'nowhere',
      }),
      pools: key(z.record(poolName, pool).prefault({ default: {} }), {
        doc: 'The pools of workers, by name.',
        expects: 'a map of pools; a name is 1 to 32 letters, digits and -',
        example: { default: { concurrency: 10, max: 4, target_per_worker: 100 } },
        otherwise: 'one pool, `default`, for all queues',
      }),
    })
    .prefault({}),
  {
    doc: 'How the number of workers follows the queues: for worker processes of this machine (role autoscaler), and for Kubernetes.',
    expects: 'a section of keys',
    example: { local: true },
  },
);
