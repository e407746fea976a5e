// The API of the real program for a test: its tokens, a program that serves it, and what is asked of it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Rookery } from './rookery.ts';

export const tokens = {
  read: 'reading-0123456789',
  operate: 'operating-0123456789',
  admin: 'administering-0123456789',
};
export type Role = keyof typeof tokens;
export const roles = Object.keys(tokens) as Role[];

const anyPort = { host: '127.0.0.1', port: 0 };

/** Starts the program with an API on the Redis at this socket: `rookery run ROLE...`, or `rookery up`. */
export async function startApi(
  socket: string,
  words: readonly string[],
  { api = {}, ...more }: { api?: object; [key: string]: unknown } = {},
): Promise<Rookery> {
  const rookery = await Rookery.layOut({
    redis: { url: socket },
    backends: { mail1: { lmtp: { host: '127.0.0.1', port: 24 } }, mail2: {} },
    ...{ directory: { listen: [anyPort] }, lmtp: { listen: [anyPort] } },
    ...more,
    api: {
      listen: anyPort,
      tokens: {
        reader: { token: tokens.read },
        ops: { token: tokens.operate, role: 'operate' },
        boss: { token_file: 'boss.token', role: 'admin' },
      },
      ...api,
    },
  });
  await writeFile(join(rookery.folder, 'boss.token'), `${tokens.admin}\n`);
  await rookery.start(...words).catch(async (error: unknown) => {
    await rookery.stop();
    throw error;
  });
  return rookery;
}

export function apiBase(rookery: Rookery): string {
  const { host, port } = rookery.address('HTTP');
  return `http://${host}:${port}`;
}

/** Asks as whoever bears the token. */
export function bearing(rookery: Rookery, token: string): (path: string) => Promise<Response> {
  return (path) => fetch(`${apiBase(rookery)}${path}`, { headers: { authorization: `Bearer ${token}` } });
}
