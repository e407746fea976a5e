// The change log of one shard: read from anywhere, and followed as it grows.
import type { Redis } from 'ioredis';
import type { Change } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { keyNames, shardPrefix } from './keys.ts';
import { stateOf } from './packing.ts';
import { replyFrom, stringsIn } from './script.ts';
import type { Reply } from './script.ts';

/** A change with its link in the chain: its own nonce, and that of the change before it. */
export interface LinkedChange extends Change {
  nonce: Bytes;
  previous: Bytes;
}

/** The end of a shard's log: the last change and its nonce; 0 and empty before the first. */
export interface Head {
  seq: number;
  nonce: Bytes;
}

/** The log does not hold what its reader needs next: trimmed, or data were lost. What was read before proves nothing. */
export class ChainBroken extends Error {
  override readonly name = 'ChainBroken';
}

export class ChangeLog {
  readonly shard: number;
  readonly #log: string;
  readonly #head: string;

  constructor(shard: number) {
    this.shard = shard;
    this.#log = shardPrefix(shard) + keyNames.log;
    this.#head = shardPrefix(shard) + keyNames.head;
  }

  async head(redis: Redis): Promise<Head> {
    const [seq, nonce] = stringsIn(replyFrom(await redis.hmgetBuffer(this.#head, 'seq', 'nonce')));
    return { seq: Number(seq ?? 0), nonce: nonce ?? '' };
  }

  /** Up to `count` changes after `seq`; throws ChainBroken when the next one is gone. */
  async after(redis: Redis, seq: number, count: number): Promise<LinkedChange[]> {
    const reply = await redis.callBuffer('XRANGE', [this.#log, `(${seq}-0`, '+', 'COUNT', count]);
    return this.#linked(replyFrom(reply), seq);
  }

  /** As `after`, but waits up to `block` milliseconds for the first; to be called on a blocking connection only. */
  async next(redis: Redis, seq: number, count: number, block: number): Promise<LinkedChange[]> {
    const args = ['COUNT', count, 'BLOCK', block, 'STREAMS', this.#log, `${seq}-0`];
    const reply = replyFrom(await redis.callBuffer('XREAD', args));
    if (reply === null) return [];
    // RESP2 answers [[stream, entries]], RESP3 a map, which ioredis flattens to [stream, entries].
    const streams = Array.isArray(reply) ? reply : [];
    const first = streams[0];
    return this.#linked((Array.isArray(first) ? first[1] : streams[1]) ?? [], seq);
  }

  #linked(entries: Reply, seq: number): LinkedChange[] {
    if (!Array.isArray(entries)) throw new Error('Redis answered something that is not a stream');
    const changes = entries.map((entry) => this.#change(entry));
    changes.forEach((change, index) => {
      if (change.seq !== seq + 1 + index) {
        throw new ChainBroken(`change log of shard ${this.shard}: ${change.seq} follows ${seq + index}`);
      }
    });
    return changes;
  }

  #change(entry: Reply): LinkedChange {
    const [id, fields] = Array.isArray(entry) ? entry : [];
    const list = stringsIn(fields);
    const field = new Map<Bytes, Bytes>();
    for (let i = 0; i + 1 < list.length; i += 2) field.set(list[i] ?? '', list[i + 1] ?? '');
    const text = (key: string) => field.get(key) ?? '';
    const state = stateOf(text('s'));
    if (typeof id !== 'string' || state === undefined) throw new Error('an entry of the change log is not ours');
    return {
      ...{ shard: this.shard, seq: Number.parseInt(id, 10), name: text('n'), state, location: text('l') },
      ...{ acl: text('a'), from: text('f'), session: text('w'), time: Number(text('t')) },
      ...{ nonce: text('k'), previous: text('p') },
    };
  }
}
