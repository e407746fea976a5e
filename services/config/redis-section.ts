// The section `redis`: where the directory is kept, and where events wait.
import { z } from 'zod';
import { key } from './key.ts';

/** `redis://`, `rediss://`, or the absolute path of a Unix socket. */
const redisUrl = z.string().refine((url) => {
  if (url.startsWith('/')) return !url.includes('\0');
  return /^rediss?:\/\/[^\s]+$/.test(url) && URL.canParse(url);
});

const place = (what: string) => ({
  url: key(z.exactOptional(redisUrl), {
    doc: `The Redis ${what}.`,
    expects:
      'redis://HOST:PORT/DB, rediss://... for TLS (with USER:PASSWORD@ before the host), or the path of a Unix socket',
    example: 'redis://127.0.0.1:6379',
    otherwise: 'none',
    secret: 'url',
  }),
  url_file: key(z.exactOptional(z.string().min(1)), {
    doc: `The file that holds the URL of the Redis ${what}, for a URL with a password in it.`,
    expects: 'the path of a readable file, in place of url',
    example: '/etc/rookery/redis.url',
    otherwise: 'none',
  }),
});

const part = (what: string) =>
  key(z.exactOptional(z.strictObject(place(what))), {
    doc: `The Redis ${what}, where there are two. A full queue then never blocks the directory.`,
    expects: 'a section with url or url_file; directory and events go together',
    example: { url: 'redis://127.0.0.1:6379' },
    otherwise: 'none: one Redis for both',
  });

export const redisSection = key(
  z.exactOptional(
    z.strictObject({
      ...place('for directory and events'),
      directory: part('that keeps the directory'),
      events: part('in which events wait'),
    }),
  ),
  {
    doc: 'Redis 7 or Valkey with maxmemory-policy noeviction. Left out: one is started in the folder `data`.',
    expects: '{ url } or { url_file }, or { directory: { url }, events: { url } }',
    example: { url: 'redis://127.0.0.1:6379' },
    otherwise: 'none: an embedded Redis',
  },
);

/** The URLs for the directory and for events; undefined when Redis is embedded. */
export function redisUrls(
  redis: z.output<typeof redisSection> | undefined,
): { directory: string; events: string } | undefined {
  if (redis?.url !== undefined) return { directory: redis.url, events: redis.url };
  if (redis?.directory?.url === undefined || redis.events?.url === undefined) return undefined;
  return { directory: redis.directory.url, events: redis.events.url };
}
