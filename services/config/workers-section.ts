// The section `workers`: how the role worker works off the queues.
import { z } from 'zod';
import { key } from './key.ts';
import { count, seconds } from './kinds.ts';

export const workersSection = key(
  z
    .strictObject({
      concurrency: count({
        doc: 'How many jobs of each queue a process works on at a time. They mostly wait for backends.',
        min: 1,
        max: 1000,
        default: 10,
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
        doc: 'How long a worker may be silent before its jobs are taken for lost; at the latest after twice that time another one runs them. Too short a time has jobs run twice when a machine is busy.',
        default: 30,
      }),
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
