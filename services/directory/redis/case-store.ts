// Cases of reconciliation in Redis: read, answered by pushes, resolved; and the leases that stand beside the rows.
import type { Redis } from 'ioredis';
import { byAge, rivalRows } from '../case.ts';
import type { Case, Caseload, Rival } from '../case.ts';
import type { Lease, Resolution } from '../directory.ts';
import type { Bytes, Entry } from '../entry.ts';
import { placeOf } from '../tree.ts';
import { keyNames, shardOf, shardPrefix } from './keys.ts';
import { packRow } from './packing.ts';
import {
  flag,
  heardScript,
  leaseScript,
  noteScript,
  pairsIn,
  releaseScript,
  replyFrom,
  resolveScript,
  stringsIn,
  suspectScript,
} from './script.ts';
import type { Reply } from './script.ts';

export interface CaseStoreOptions {
  redis: Redis;
  shards: number;
  changeLogLength: number;
  clock: () => number;
  nonce: () => string;
}

/** How many cases one script call, or one pipeline, looks at. */
const casesAtOnce = 200;

export class CaseStore {
  readonly #options: CaseStoreOptions;

  constructor(options: CaseStoreOptions) {
    this.#options = options;
  }

  async case(name: Bytes): Promise<Case | undefined> {
    const prefix = shardPrefix(shardOf(placeOf(name).tree, this.#options.shards));
    return (await this.#read(prefix, [name]))[0];
  }

  /** All open cases, the oldest first. */
  async cases(): Promise<Case[]> {
    const all: Case[] = [];
    for (let shard = 0; shard < this.#options.shards; shard++) {
      const prefix = shardPrefix(shard);
      const names = await this.#names(prefix);
      for (let i = 0; i < names.length; i += casesAtOnce) {
        all.push(...(await this.#read(prefix, names.slice(i, i + casesAtOnce))));
      }
    }
    return all.sort(byAge);
  }

  async names(): Promise<Bytes[]> {
    const prefixes = Array.from({ length: this.#options.shards }, (_, shard) => shardPrefix(shard));
    return (await Promise.all(prefixes.map((prefix) => this.#names(prefix)))).flat();
  }

  async caseload(): Promise<Caseload> {
    const { redis, shards } = this.#options;
    const loads = await Promise.all(
      Array.from({ length: shards }, async (_, shard) => {
        const key = shardPrefix(shard) + keyNames.cases;
        const [count, [, oldest]] = await Promise.all([redis.zcard(key), redis.zrange(key, '0', '0', 'WITHSCORES')]);
        return { count, oldest: oldest === undefined ? undefined : Number(oldest) };
      }),
    );
    const ages = loads.flatMap(({ oldest }) => oldest ?? []);
    return {
      count: loads.reduce((sum, { count }) => sum + count, 0),
      oldest: ages.length === 0 ? undefined : Math.min(...ages),
    };
  }

  /** What a server is on record for as a rival, as rows of that server. */
  async rivalsAt(server: Bytes): Promise<Entry[]> {
    return rivalRows(await this.cases(), server);
  }

  /** See Directory.heard. */
  async heard(server: Bytes, required: readonly Bytes[], begun: number): Promise<void> {
    for (let shard = 0; shard < this.#options.shards; shard++) {
      const prefix = shardPrefix(shard);
      const names = await this.#names(prefix);
      // Once at least: it is the script that notes the server as heard.
      for (let i = 0; i === 0 || i < names.length; i += casesAtOnce) {
        const rows = names.slice(i, i + casesAtOnce).flatMap((name) => [...this.#place(name), this.#options.nonce()]);
        const settings = [String(begun), String(this.#options.clock()), String(this.#options.changeLogLength)];
        const args = [prefix, server, ...settings, String(required.length), ...required, ...rows];
        await heardScript.run(this.#options.redis, prefix + keyNames.meta, args);
      }
    }
  }

  async resolve({ name, expected, rung, action, at, session, by, forget }: Resolution): Promise<boolean> {
    const { redis, shards, clock, nonce, changeLogLength } = this.#options;
    const { tree } = placeOf(name);
    const prefix = shardPrefix(shardOf(tree, shards));
    const packed = expected ? packRow(expected, expected.version) : '';
    const asked = [packed, rung === undefined ? '' : String(rung)];
    const what = [...asked, action, at?.location ?? '', at?.acl ?? '', session, by];
    const args = [prefix, ...this.#place(name), ...what, String(clock()), nonce(), String(changeLogLength), ...forget];
    return (await resolveScript.run(redis, `${prefix}tree:${tree}`, args)) === '1';
  }

  async suspect(name: Bytes, reason: string, session: string): Promise<void> {
    const prefix = shardPrefix(shardOf(placeOf(name).tree, this.#options.shards));
    const args = [prefix, name, reason, session, String(this.#options.clock())];
    await suspectScript.run(this.#options.redis, `${prefix}case:${name}`, args);
  }

  async note(name: Bytes, waiting: string): Promise<void> {
    const prefix = shardPrefix(shardOf(placeOf(name).tree, this.#options.shards));
    await noteScript.run(this.#options.redis, `${prefix}case:${name}`, [prefix, name, waiting]);
  }

  async lease(name: Bytes, { token, destination }: Lease, milliseconds: number): Promise<boolean> {
    const { redis, shards, clock, nonce, changeLogLength } = this.#options;
    const { tree, shared } = placeOf(name);
    const prefix = shardPrefix(shardOf(tree, shards));
    const times = [String(clock()), String(milliseconds), nonce(), String(changeLogLength)];
    const args = [prefix, tree, flag(shared), token, destination, ...times];
    return (await leaseScript.run(redis, `${prefix}lease:${tree}`, args)) === '1';
  }

  async release(name: Bytes, token: string): Promise<void> {
    const { redis, shards, clock, nonce, changeLogLength } = this.#options;
    const { tree, shared } = placeOf(name);
    const prefix = shardPrefix(shardOf(tree, shards));
    const args = [prefix, tree, flag(shared), token, String(clock()), nonce(), String(changeLogLength)];
    await releaseScript.run(redis, `${prefix}lease:${tree}`, args);
  }

  #place(name: Bytes): Bytes[] {
    const { tree, field, shared } = placeOf(name);
    return [name, tree, field, flag(shared)];
  }

  async #names(prefix: string): Promise<Bytes[]> {
    return stringsIn(replyFrom(await this.#options.redis.zrangeBuffer(prefix + keyNames.cases, '0', '-1')));
  }

  async #read(prefix: string, names: readonly Bytes[]): Promise<Case[]> {
    const { redis } = this.#options;
    const hashes = await Promise.all(
      names.map((name) => redis.callBuffer('HGETALL', [Buffer.from(`${prefix}case:${name}`, 'latin1')])),
    );
    return hashes.flatMap((hash, at) => caseFrom(names[at] ?? '', replyFrom(hash)) ?? []);
  }
}

function caseFrom(name: Bytes, reply: Reply): Case | undefined {
  const fields = pairsIn(stringsIn(reply));
  const reason = fields.get('reason');
  if (reason === undefined) return undefined;
  const rivals = [...fields].flatMap(([field, value]) =>
    field.startsWith('rival:') ? [rivalFrom(field.slice('rival:'.length), value)] : [],
  );
  rivals.sort((a, b) => (a.server < b.server ? -1 : 1));
  const behind = fields.get('behind');
  const waiting = fields.get('waiting');
  const times = { since: Number(fields.get('since')), rung: Number(fields.get('rung')) };
  return {
    ...{ name, reason, session: fields.get('session') ?? '', ...times, rivals },
    ...(behind === undefined ? {} : { behind }),
    ...(waiting === undefined ? {} : { waiting }),
  };
}

/** `D13 mail1!default<ACL>`: kind, length of the location, location, ACL (scripts/cases.lua). */
function rivalFrom(server: Bytes, packed: Bytes): Rival {
  const [head = '', kind, length] = /^([DC])(\d+) /.exec(packed) ?? [];
  const end = head.length + Number(length);
  const location = packed.slice(head.length, end);
  return { server, kind: kind === 'D' ? 'duplicate' : 'claim', location, acl: packed.slice(end) };
}
