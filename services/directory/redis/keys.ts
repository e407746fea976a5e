// The names of the directory's keys in Redis, and which shard a tree lives in.
import { crc32 } from 'node:zlib';
import type { Bytes } from '../entry.ts';

/** All keys of one shard share a hash tag, so that a script may touch them together on Redis Cluster too. */
export function shardPrefix(shard: number): string {
  return `rookery:{d${shard}}:`;
}

/**
 * The suffixes after a shard's prefix. `tree:<tree>` is the hash of a tree's rows, `bucket:<n>:<tree>` further buckets of
 * a large shared tree, `server:<server>` the rows a server has in each tree,
 * `pending:<session>` the names that wait for a session's end, `grave:<name>` what was deleted a short while ago,
 * `case:<name>` the open case of a name, `lease:<tree>` the lease on a tree: its end, its token, its destination,
 * `copy:<tree>` the copy of a user, or `copy:<name>` of one shared mailbox, ahead of its move: until when it is known,
 * whether it is being made, where;
 * in the first shard, `routing:<reader>` what the reader has seen of each shard's log, as long as its lease holds.
 */
export const keyNames = {
  /** Hash: how the directory was made, its epoch, and who was heard in it. */
  meta: 'meta',
  /** Hash: `seq` and `nonce` of the last change. */
  head: 'head',
  /** Stream: the change log; an entry's id is `<seq>-0`. */
  log: 'log',
  /** Sorted set, all scores 0: the trees that have rows. */
  trees: 'trees',
  /** Hash: rows by server. */
  servers: 'servers',
  /** Hash: the number of buckets of each tree that has more than one. */
  buckets: 'buckets',
  /** Set: the sessions that have rows waiting for their end. */
  sessions: 'sessions',
  /** Sorted set: the names that have an open case, by the time of its opening. */
  cases: 'cases',
  /** Hash, in the first shard: when each node was last seen, in seconds since 1970. */
  nodes: 'nodes',
  /** Sorted set, in the first shard: those that hold a routing lease, or held one, by when they showed themselves last. */
  readers: 'readers',
} as const;

/** The shard of a tree. Fixed when the directory is made: the number of shards is written into its meta. */
export function shardOf(tree: Bytes, shards: number): number {
  return shards === 1 ? 0 : crc32(Buffer.from(tree, 'latin1')) % shards;
}
