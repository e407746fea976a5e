// The configuration as a whole: its sections, and the type that the program works with.
import { hostname } from 'node:os';
import { z } from 'zod';
import { apiSection } from './api-section.ts';
import { backendsSection } from './backends-section.ts';
import { directorySection } from './directory-section.ts';
import { key } from './key.ts';
import { choice, hostName } from './kinds.ts';
import { lmtpSection } from './lmtp-section.ts';
import { lookupSection } from './lookup-section.ts';
import { movesSection } from './moves-section.ts';
import { placementSection } from './placement-section.ts';
import { redisSection } from './redis-section.ts';
import { usageSection } from './usage-section.ts';
import { usersSection } from './users-section.ts';
import { scalingSection } from './scaling-section.ts';
import { workersSection } from './workers-section.ts';

const servername = key(
  hostName.default(() => hostname()),
  {
    doc: 'The name this host goes by: in greetings, Received lines and logs.',
    expects: 'a host name',
    example: 'frontend1.example.org',
    otherwise: "the machine's host name",
  },
);

const data = key(z.string().startsWith('/').default('/var/lib/rookery'), {
  doc: 'The folder for what must outlive a restart; the embedded Redis lives here.',
  expects: 'an absolute path',
  example: '/var/lib/rookery',
});

const logSection = key(
  z
    .strictObject({
      level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
        doc: 'The least grave lines that are logged. The line about each recipient is `info`.',
        default: 'info',
      }),
    })
    .prefault({}),
  { doc: 'The log: JSON lines on standard error.', expects: 'a section of keys', example: { level: 'info' } },
);

export const configSchema = z.strictObject({
  servername,
  data,
  redis: redisSection,
  directory: directorySection,
  lmtp: lmtpSection,
  lookup: lookupSection,
  backends: backendsSection,
  users: usersSection,
  usage: usageSection,
  placement: placementSection,
  moves: movesSection,
  workers: workersSection,
  scaling: scalingSection,
  api: apiSection,
  log: logSection,
});

/**
 * The configuration, whole and checked: defaults filled in, secrets read. Durations are in seconds, sizes in bytes,
 * space of backends in KiB, as Cyrus tells it.
 */
export type Config = z.output<typeof configSchema>;

/** Keys that a later version brings: refused, with more to say than that they are unknown. */
export const later: Readonly<Record<string, string>> = {
  follow: 'not in this version: it keeps its own directory and cannot follow a foreign MUPDATE master yet',
  'redis.sentinel': 'not in this version: give the url of one Redis',
  'redis.cluster': 'not in this version: give the url of one Redis',
};
