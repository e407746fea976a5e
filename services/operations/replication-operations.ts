// What an operator asks of the replicas of backends: to have them brought up now, for one user or all, and what becomes of it.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText, isGrave, serverOf } from '../directory/entry.ts';
import type { Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { JobView } from '../events/backlog.ts';
import { jobValue, jobValueOf } from './job-value.ts';
import { Refusal } from './refusal.ts';
import { inboxOf } from './user-name.ts';

export const userReplicationValue = z
  .object({
    user: z.string().meta({ description: 'The name of his INBOX.' }),
    replicas: z.array(
      z.object({
        server: z.string().meta({ description: 'The backend that has the replica.' }),
        job: jobValue
          .optional()
          .meta({ description: 'What became of it; left out where that was not waited for, or is not kept any more.' }),
      }),
    ),
  })
  .meta({ id: 'UserReplication', description: 'Which replicas are brought up to their backends for a user.' });

export const serverReplicationValue = z
  .object({ server: z.string(), users: z.int().meta({ description: 'How many users are rung for.' }) })
  .meta({ id: 'ServerReplication', description: 'A replica that is brought up to its backend for all users.' });

export type UserReplicationValue = z.output<typeof userReplicationValue>;
export type ServerReplicationValue = z.output<typeof serverReplicationValue>;

export interface UserReplication {
  /** The replica of this backend, wherever the directory has the user. */
  server?: string | undefined;
  /** How long the end is waited for, in milliseconds. */
  within: number;
}

/** All reject with a Refusal: as missing where there is no such replica, as data where there can be no such user. */
export interface ReplicationOperations {
  /** Rings for the user at the replicas of where he is, or of all where he is nowhere. */
  user(user: Bytes, asked: UserReplication): Promise<UserReplicationValue>;
  /** What becomes of the rings for the user, without another one. */
  follow(user: Bytes, asked: UserReplication): Promise<UserReplicationValue>;
  /** Rings for all users of a backend. */
  server(name: string): Promise<ServerReplicationValue>;
}

/** The replicas of backends, as they are rung for. */
export interface ReplicaRings {
  /** Has the backend's replica brought up to it for these trees; resolves when Redis has the rings. */
  ring(backend: Bytes, trees: readonly Bytes[]): Promise<void>;
  /** The job about a tree that was rung for, once it is over, or after so many milliseconds. */
  followed(backend: Bytes, tree: Bytes, within: number): Promise<JobView | undefined>;
}

interface Replication {
  /** The backends that have a replica. */
  replicated: readonly string[];
  rings: ReplicaRings;
  directory: Pick<Directory, 'tree' | 'list'>;
  addresses: RecipientSettings;
}

export function replicationOperations(replication: Replication): ReplicationOperations {
  const { replicated, rings, directory, addresses } = replication;
  const treeOf = (user: Bytes) => placeOf(inboxOf(user, addresses)).tree;
  const followed = async (tree: Bytes, backends: readonly string[], within: number): Promise<UserReplicationValue> => {
    const jobs = backends.map(async (server) => {
      const job = await rings.followed(server, tree, within);
      return { server, ...(job && { job: jobValueOf(job) }) };
    });
    return { user: readable(tree), replicas: await Promise.all(jobs) };
  };
  return {
    async user(user, { server, within }) {
      const tree = treeOf(user);
      const backends = await backendsOf(tree, server, replication);
      for (const backend of backends) await rings.ring(backend, [tree]);
      if (within > 0) return followed(tree, backends, within);
      return { user: readable(tree), replicas: backends.map((backend) => ({ server: backend })) };
    },
    async follow(user, { server, within }) {
      const tree = treeOf(user);
      return followed(tree, await backendsOf(tree, server, replication), within);
    },
    async server(name) {
      chosen(replicated, name);
      const rows = alive(await directory.list(`${name}!`));
      const places = rows.map((row) => placeOf(row.name)).filter(({ shared }) => !shared);
      const trees = [...new Set(places.map(({ tree }) => tree))];
      await rings.ring(name, trees);
      return { server: name, users: trees.length };
    },
  };
}

/** The backends that are meant of those that have a replica. */
function chosen(replicated: readonly string[], named: string | undefined): readonly string[] {
  if (replicated.length === 0) {
    throw new Refusal('missing', 'no backend has a replica: backends.NAME.replica says so');
  }
  if (named === undefined) return replicated;
  if (replicated.includes(named)) return [named];
  const name = readable(bytesFromText(named));
  throw new Refusal('missing', `${name} has no replica: those that have are ${replicated.join(', ')}`);
}

/** Where the user is; where the directory does not have him, every replica may have something left of him. */
async function backendsOf(
  tree: Bytes,
  named: string | undefined,
  { replicated, directory }: Replication,
): Promise<readonly string[]> {
  const there = chosen(replicated, named);
  if (named !== undefined) return there;
  const servers = [...new Set(alive(await directory.tree(tree)).map(({ location }) => serverOf(location)))];
  const found = there.filter((name) => servers.includes(name));
  if (found.length > 0 || servers.length === 0) return found.length > 0 ? found : there;
  const where = servers.map(readable).join(', ');
  throw new Refusal(
    'missing',
    `${readable(tree)} is at ${where}: no replica there; those that have one are ${there.join(', ')}`,
  );
}

function alive(rows: readonly Entry[]): Entry[] {
  return rows.filter((row) => !isGrave(row));
}
