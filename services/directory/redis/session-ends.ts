// What sessions leave pending, settled when they end; also for the sessions of a node that died.
import type { Redis } from 'ioredis';
import type { Ending } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { placeOf } from '../tree.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { endSessionScript, flag, replyFrom, stringsIn } from './script.ts';

export interface SessionEndsOptions {
  redis: Redis;
  shards: number;
  changeLogLength: number;
  /** Milliseconds. */
  tombstoneGrace: number;
  clock: () => number;
  nonce: () => string;
}

/** A node that has not shown itself for so many seconds is dead: three of the sweeps that it should have made. */
const deadAfter = 30;

/** How many rows one script call settles. */
const rowsAtOnce = 200;

export class SessionEnds {
  readonly #options: SessionEndsOptions;

  constructor(options: SessionEndsOptions) {
    this.#options = options;
  }

  /** Settles what the session left pending in every shard; resolves to the names that were put back. */
  async end(session: string, how: Ending): Promise<Bytes[]> {
    const shards = Array.from({ length: this.#options.shards }, (_, shard) => shard);
    return (await Promise.all(shards.map((shard) => this.#endIn(shard, session, how)))).flat().sort();
  }

  /** See Directory.sweep. */
  async sweep(node: string, isLive: (session: string) => boolean): Promise<Bytes[]> {
    const alive = await this.#nodesAlive(node);
    const over = (await this.#open()).filter((session) =>
      nodeOf(session) === node ? !isLive(session) : !alive.has(nodeOf(session)),
    );
    const restored: Bytes[] = [];
    for (const session of over) restored.push(...(await this.end(session, 'cut')));
    return restored;
  }

  /** Nodes are told alive by Redis' clock: theirs may differ. */
  async #nodesAlive(node: string): Promise<Set<string>> {
    const { redis } = this.#options;
    const [seconds] = await redis.time();
    const key = shardPrefix(0) + keyNames.nodes;
    await redis.hset(key, node, Number(seconds));
    const seen = Object.entries(await redis.hgetall(key));
    const dead = seen.filter(([, last]) => Number(seconds) - Number(last) > deadAfter).map(([name]) => name);
    if (dead.length > 0) await redis.hdel(key, ...dead);
    return new Set(seen.map(([name]) => name).filter((name) => !dead.includes(name)));
  }

  /** The sessions that have anything pending, of whatever node. */
  async #open(): Promise<string[]> {
    const keys = Array.from({ length: this.#options.shards }, (_, shard) => shardPrefix(shard) + keyNames.sessions);
    const lists = await Promise.all(keys.map((key) => this.#options.redis.smembers(key)));
    return [...new Set(lists.flat())];
  }

  async #endIn(shard: number, session: string, how: Ending): Promise<Bytes[]> {
    const { redis, clock, tombstoneGrace, changeLogLength, nonce } = this.#options;
    const prefix = shardPrefix(shard);
    const names = stringsIn(replyFrom(await redis.smembersBuffer(`${prefix}pending:${session}`))).sort();
    const restored: Bytes[] = [];
    for (let i = 0; i < names.length; i += rowsAtOnce) {
      const rows = names.slice(i, i + rowsAtOnce).flatMap((name) => {
        const { tree, field, shared } = placeOf(name);
        return shardOf(tree, this.#options.shards) === shard ? [name, tree, field, flag(shared), nonce()] : [];
      });
      const args = [prefix, session, how, String(clock()), String(tombstoneGrace), String(changeLogLength), ...rows];
      restored.push(...stringsIn(await endSessionScript.run(redis, prefix + keyNames.sessions, args)));
    }
    return restored;
  }
}

/** The node of a session: its id without the counter at its end (services/process/session-ids.ts). */
function nodeOf(session: string): string {
  return session.slice(0, Math.max(0, session.lastIndexOf('-')));
}
