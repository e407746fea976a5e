// The section `workers`: how the role worker works off the queues.
import { z } from 'zod';
import { key } from './key.ts';
import { count, hostName, seconds } from './kinds.ts';

/** How often a job is tried that fails in one way. */
function retry(facts: { doc: string; attempts: number; pause: number; longest: number }) {
  const { doc, attempts, pause, longest } = facts;
  return key(
    z
      .strictObject({
        attempts: count({
          doc: 'How often a job may fail so; after the last time it is a dead letter (rookery queue show).',
          min: 1,
          max: 100_000,
          default: attempts,
        }),
        pause: seconds({ doc: 'The pause after the first time; doubled for each time after it.', default: pause }),
        longest_pause: seconds({ doc: 'The longest pause.', default: longest }),
      })
      .prefault({}),
    { doc, expects: 'a section of keys', example: { attempts } },
  );
}

const retries = key(
  z
    .strictObject({
      away: retry({
        doc: 'When somebody does not answer (a backend, a network): for about two hours, which sees a machine through a repair or a long start.',
        ...{ attempts: 30, pause: 2, longest: 300 },
      }),
      busy: retry({
        doc: 'When what is needed is locked or in use: for about ten minutes, at a short and steady pace.',
        ...{ attempts: 200, pause: 3, longest: 3 },
      }),
      fault: retry({
        doc: 'After any other error, most likely a fault of this program, which does not go away by itself.',
        ...{ attempts: 4, pause: 10, longest: 60 },
      }),
      newer: key(
        z
          .strictObject({
            pause: seconds({ doc: 'The pause between two looks.', default: 10 }),
            keep_for: seconds({
              doc: 'How long such a job is kept before it is a dead letter: longer than it takes until all workers run the new version.',
              default: 3600,
            }),
          })
          .prefault({}),
        {
          doc: 'When a job was written by a newer version of this program, in the middle of an upgrade, and waits for a worker that can read it.',
          expects: 'a section of keys',
          example: { keep_for: 3600 },
        },
      ),
    })
    .prefault({}),
  {
    doc: 'What follows when a job fails, by the kind of failure. A job that is refused for good, or can never be read, is a dead letter at once.',
    expects: 'a section of keys',
    example: { away: { attempts: 30 } },
  },
);

/** How long jobs are kept that are over. */
function kept(facts: { doc: string; count: number; age: number }) {
  return key(
    z
      .strictObject({
        count: count({ doc: 'At most so many of each queue.', min: 0, max: 1_000_000, default: facts.count }),
        age: count({
          doc: 'At most so long; looked after when the next job of the queue ends so.',
          ...{ unit: 'seconds', min: 1, max: 31_536_000, default: facts.age },
        }),
      })
      .prefault({}),
    { doc: facts.doc, expects: 'a section of keys', example: { count: facts.count, age: facts.age } },
  );
}

const retention = key(
  z
    .strictObject({
      done: kept({
        doc: 'Jobs that are done, for the question whether anybody has looked: about 1 KB each.',
        ...{ count: 1_000, age: 3_600 },
      }),
      dead: kept({
        doc: 'Dead letters, until they are tried again or discarded (rookery queue retry, discard), for the question what went wrong at the weekend.',
        ...{ count: 10_000, age: 7 * 86_400 },
      }),
    })
    .prefault({}),
  {
    doc: 'How long jobs are kept that are over. What is beyond is removed from Redis.',
    expects: 'a section of keys',
    example: { dead: { count: 10_000, age: 604_800 } },
  },
);

export const workersSection = key(
  z
    .strictObject({
      concurrency: count({
        doc: 'How many jobs of each queue a process works on at a time. They mostly wait for backends.',
        min: 1,
        max: 1000,
        default: 10,
      }),
      backends: key(z.array(hostName).default([]), {
        doc: 'The backends with a replica that are on this machine: workers here work off their queues replication@NAME as well.',
        expects: 'a list of names of backends that have a replica',
        example: ['mail1.example.org'],
      }),
      shutdown_grace: seconds({
        doc: 'How long running jobs may take to finish when the process is stopped; what is not done then is given back, and another worker does it. Below the time that a supervisor waits before it kills.',
        default: 10,
      }),
      imap_timeout: seconds({
        doc: 'How long a backend may take to log an administrator in, and to answer each of his questions.',
        default: 10,
      }),
      lost_after: seconds({
        doc: 'How long a worker may be silent before its jobs are taken for lost; at the latest after one and a quarter of that time another one runs them. Too short a time has jobs run twice when a machine is busy.',
        default: 30,
      }),
      retries,
      kept: retention,
      sweep_interval: seconds({
        doc: 'How often directory nodes look for lists of events that nobody was rung for: a bell is lost when a process dies at the wrong moment, or a job is removed by hand.',
        default: 60,
      }),
    })
    .prefault({}),
  {
    doc: 'The workers (role worker), which look after what the directory found doubtful.',
    expects: 'a section of keys',
    example: { concurrency: 10 },
  },
);
