// Names near to one that is not there: of rows, of open cases, and of what was deleted a short while ago.
import type { Redis } from 'ioredis';
import type { Nearby } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { longestProof } from '../freshness.ts';
import { isNearTo } from '../tree.ts';
import type { CaseStore } from './case-store.ts';
import type { ChangeLog } from './change-log.ts';
import { keyNames, shardPrefix } from './keys.ts';
import { treesAtOnce, type RowReader } from './row-reader.ts';

export interface NearbyOptions {
  redis: Redis;
  logs: readonly ChangeLog[];
  reader: RowReader;
  cases: CaseStore;
  /** How long what was deleted is no proof of absence, in milliseconds. */
  tombstoneGrace: number;
  /** Milliseconds since 1970. */
  clock: () => number;
}

/** How many changes of a shard are looked through for deletions: usually, and at most. */
const changes = [1000, 20_000];

/** How many trees may be near: there are few ways of writing a name, unless somebody makes them for fun. */
const mostTrees = 100;

export class NearbyNames {
  readonly #options: NearbyOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: NearbyOptions) {
    this.#options = options;
  }

  /** One reading at a time: it goes over many trees, and whoever sends to names that are not there must not keep Redis busy. */
  read(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby> {
    const asked = this.#options.clock();
    const reading = this.#last.then(() => {
      if (this.#options.clock() - asked > longestProof) throw new Error('too many look for names that are close');
      return this.#read(domain, isNear);
    });
    this.#last = reading.catch(() => undefined);
    return reading;
  }

  async #read(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby> {
    const { logs, reader, cases, clock } = this.#options;
    const begun = clock();
    const near = (name: Bytes): boolean => isNearTo(name, domain, isNear);
    const names: Bytes[] = [];
    for (const log of logs) {
      const trees = await this.#trees(log.shard, domain, near);
      for (const { name } of await reader.trees(log.shard, trees)) names.push(name);
      names.push(...(await this.#deleted(log)).filter(near));
    }
    names.push(...(await cases.names()).filter(near));
    return { names: [...new Set(names)], begun, standing: await reader.standing() };
  }

  /** The index is in the order of its octets, so that users, and for the default domain all others, are leapt over. */
  async #trees(shard: number, domain: Bytes, isNear: (tree: Bytes) => boolean): Promise<Bytes[]> {
    const key = shardPrefix(shard) + keyNames.trees;
    const users = `${domain}user.`;
    const found: Bytes[] = [];
    let from = `[${domain}`;
    for (;;) {
      const start = Buffer.from(from, 'latin1');
      const page = await this.#options.redis.zrangebylexBuffer(key, start, '+', 'LIMIT', 0, treesAtOnce);
      if (page.length === 0) return found;
      for (const tree of page.map((one) => one.toString('latin1'))) {
        if (!tree.startsWith(domain)) return found;
        const ahead = leap(tree, domain, users);
        from = ahead ?? `(${tree}`;
        if (ahead !== undefined) break;
        if (isNear(tree)) found.push(tree);
        if (found.length > mostTrees) throw new Error(`more than ${mostTrees} trees have nearly the same name`);
      }
    }
  }

  async #deleted(log: ChangeLog): Promise<Bytes[]> {
    const { redis, tombstoneGrace, clock } = this.#options;
    const since = clock() - tombstoneGrace;
    for (const most of changes) {
      const newest = await log.history(redis, undefined, most);
      const oldest = newest.at(-1);
      if (newest.length === most && oldest !== undefined && oldest.time >= since) continue;
      return newest.filter(({ state, time }) => state === 'absent' && time >= since).map(({ name }) => name);
    }
    throw new Error('too much has changed to tell what was deleted');
  }
}

/** Where the index goes on after what nobody is interested in; undefined where the tree is of interest. */
function leap(tree: Bytes, domain: Bytes, users: Bytes): string | undefined {
  if (tree.startsWith(users)) return `[${domain}user/`; // `/` comes next after `.`
  const mark = domain === '' ? tree.indexOf('!') : -1;
  return mark < 0 ? undefined : `[${tree.slice(0, mark)}"`; // as does `"` after `!`
}
