// What sessions leave pending, settled when they end; also for the sessions of a node that died.
import type { Redis } from 'ioredis';
import type { Ending, Settlement } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { placeOf } from '../tree.ts';
import type { ChainWatch } from './chain-watch.ts';
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
  watch: ChainWatch;
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

  /** Settles what the session left pending in every shard. `by` is whose session it is, where that is known. */
  end(session: string, how: Ending, by = ''): Promise<Settlement> {
    return this.#settle(session, how, by, '');
  }

  /** See Directory.bind. */
  bind(session: string, server: Bytes): Promise<Settlement> {
    return this.#settle(session, 'bind', '', server);
  }

  /** See Directory.sweep. */
  async sweep(node: string, isLive: (session: string) => boolean): Promise<Settlement> {
    const alive = await this.#nodesAlive(node);
    const over = (await this.#open()).filter((session) =>
      nodeOf(session) === node ? !isLive(session) : !alive.has(nodeOf(session)),
    );
    const all: Settlement[] = [];
    for (const session of over) all.push(await this.end(session, 'cut'));
    return together(all);
  }

  async #settle(session: string, how: Ending | 'bind', by: string, server: Bytes): Promise<Settlement> {
    const shards = Array.from({ length: this.#options.shards }, (_, shard) => shard);
    const all = await Promise.all(shards.map((shard) => this.#settleIn(shard, session, how, by, server)));
    const { restored, rung } = together(all);
    return { restored: restored.sort(), rung: rung.sort() };
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

  async #settleIn(shard: number, session: string, how: string, by: string, server: Bytes): Promise<Settlement> {
    const { redis, clock, tombstoneGrace, changeLogLength, nonce } = this.#options;
    const prefix = shardPrefix(shard);
    const names = stringsIn(replyFrom(await redis.smembersBuffer(`${prefix}pending:${session}`))).sort();
    const all: Settlement[] = [];
    for (let i = 0; i < names.length; i += rowsAtOnce) {
      const rows = names.slice(i, i + rowsAtOnce).flatMap((name) => {
        const { tree, field, shared } = placeOf(name);
        return shardOf(tree, this.#options.shards) === shard ? [name, tree, field, flag(shared), nonce()] : [];
      });
      const settings = [String(clock()), String(tombstoneGrace), String(changeLogLength), by, server];
      const reply = await endSessionScript.run(redis, prefix + keyNames.sessions, [
        prefix,
        session,
        how,
        ...settings,
        ...rows,
      ]);
      const [restored, rung, head] = Array.isArray(reply) ? reply : [];
      const [seq = '0', last = ''] = stringsIn(head);
      this.#options.watch.saw(shard, { seq: Number(seq), nonce: last });
      all.push({ restored: stringsIn(restored), rung: stringsIn(rung) });
    }
    return together(all);
  }
}

function together(all: readonly Settlement[]): Settlement {
  return { restored: all.flatMap(({ restored }) => restored), rung: all.flatMap(({ rung }) => rung) };
}

/** The node of a session: its id without the counter at its end (services/process/session-ids.ts). */
function nodeOf(session: string): string {
  return session.slice(0, Math.max(0, session.lastIndexOf('-')));
}
