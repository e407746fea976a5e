// What points to a backend: rows, cases, leases, orders, promises, moves and runs of them, the jobs of its replica. While anything
// does, it is not retired.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { isDeletedName } from '../directory/settling.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { HeldLease } from '../directory/redis/holdings.ts';
import type { Move } from '../moves/move.ts';
import type { Order } from '../users/order.ts';

export const pointerValue = z
  .object({
    what: z.string(),
    count: z.int(),
    examples: z.array(z.string()).meta({ description: 'Some of them by name.' }),
  })
  .meta({ id: 'BackendPointer', description: 'Something that keeps a backend from being retired.' });

export type PointerValue = z.output<typeof pointerValue>;

export interface PointerSources {
  directory: Pick<Directory, 'list' | 'cases'>;
  leases: () => Promise<readonly HeldLease[]>;
  /** All open orders of users. */
  orders: () => Promise<readonly Order[]>;
  /** How many users are promised to a server, and not there yet. */
  promised: (server: string) => Promise<number>;
  /** All open moves. */
  moves: () => Promise<readonly Pick<Move, 'name' | 'from' | 'to'>[]>;
  /** Runs that are not over, and have trees to move from it or to it. */
  runs: (server: string) => Promise<readonly { id: string }[]>;
  /** How many jobs wait or are worked on for the replica of a backend. */
  replicaJobs: (server: string) => Promise<number>;
}

/** How many of each are named. */
const most = 3;

/** All that points to a server, and nothing where nothing does. Rejects where one of them cannot be asked. */
export async function pointersTo(server: string, sources: PointerSources): Promise<PointerValue[]> {
  const name = bytesFromText(server);
  const { directory, leases, orders, promised, moves, runs, replicaJobs } = sources;
  const [listed, cases, held, ordered, users, moving, planned, jobs] = await Promise.all([
    ...([directory.list(`${name}!`), directory.cases(), leases(), orders()] as const),
    ...([promised(server), moves(), runs(server), replicaJobs(server)] as const),
  ]);
  // What it is on record for as a rival is a case, and no row.
  const rows = listed.filter(({ version }) => version > 0).map((row) => row.name);
  const rivals = cases.filter((one) => one.rivals.some((rival) => rival.server === name)).map((one) => one.name);
  const concerned = cases.filter((one) => rows.includes(one.name)).map((one) => one.name);
  const leased = held.filter(({ destination }) => destination === name).map(({ tree }) => tree);
  const wanting = ordered.filter((order) => isFor(order, name)).map((order) => order.name);
  const moved = moving.filter(({ from, to }) => from.server === name || to.server === name).map((move) => move.name);
  return [
    named(
      'mailboxes in the directory',
      rows.filter((name) => !isDeletedName(name)),
    ),
    named('deleted mailboxes that it keeps until cyr_expire -D removes them there', rows.filter(isDeletedName)),
    named('open cases', [...new Set([...rivals, ...concerned])]),
    named('leases of moves to it', leased),
    named('open orders of users', wanting),
    counted('users promised to it', users),
    named('open moves', moved),
    named(
      'runs of moves',
      planned.map(({ id }) => id),
    ),
    counted('jobs of its replica', jobs),
  ].filter(({ count }) => count > 0);
}

function isFor({ wish, place }: Order, server: Bytes): boolean {
  return place?.server === server || (wish.is === 'create' && wish.server === server);
}

function named(what: string, names: readonly Bytes[]): PointerValue {
  return { what, count: names.length, examples: names.slice(0, most).map(readable) };
}

function counted(what: string, count: number): PointerValue {
  return { what, count, examples: [] };
}

const plural = /^((?:open )?(?:mailbox|case|lease|order|user|move|run|job))e?s\b/;

/** `1 run of moves (...)`, `2000 mailboxes in the directory (user.a, user.b, ...)`. */
export function pointerText({ what, count, examples }: PointerValue): string {
  const more = count > examples.length && examples.length > 0 ? ', ...' : '';
  const things = count === 1 ? what.replace(plural, '$1') : what;
  return `${count} ${things}${examples.length === 0 ? '' : ` (${examples.join(', ')}${more})`}`;
}
