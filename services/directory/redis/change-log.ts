// The change log of one shard: read from anywhere, and followed as it grows.
import type { Redis } from 'ioredis';
import type { Cause, Change, Head } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { keyNames, shardPrefix } from './keys.ts';
import { stateOf } from './packing.ts';
import { replyFrom, stringsIn } from './script.ts';
import type { Reply } from './script.ts';

/** A change with its link in the chain: the nonce of the change before it. */
export interface LinkedChange extends Change {
  previous: Bytes;
}

/** The log does not hold what its reader needs next: trimmed, or data were lost. What was read before proves nothing. */
export class ChainBroken extends Error {
  override readonly name = 'ChainBroken';
}

/** How many changes are read at once in search of a name's. */
const historyPage = 1000;

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

  /** Up to `count` changes after a place; throws ChainBroken when the next one is gone, or does not follow from it. */
  async after(redis: Redis, place: Head, count: number): Promise<LinkedChange[]> {
    const reply = await redis.callBuffer('XRANGE', [this.#log, `(${place.seq}-0`, '+', 'COUNT', count]);
    return this.#linked(replyFrom(reply), place);
  }

  /** As `after`, but waits up to `block` milliseconds for the first; to be called on a blocking connection only. */
  async next(redis: Redis, place: Head, count: number, block: number): Promise<LinkedChange[]> {
    const args = ['COUNT', count, 'BLOCK', block, 'STREAMS', this.#log, `${place.seq}-0`];
    const reply = replyFrom(await redis.callBuffer('XREAD', args));
    if (reply === null) return [];
    // RESP2 answers [[stream, entries]], RESP3 a map, which ioredis flattens to [stream, entries].
    const streams = Array.isArray(reply) ? reply : [];
    const first = streams[0];
    return this.#linked((Array.isArray(first) ? first[1] : streams[1]) ?? [], place);
  }

  /** The newest changes, the newest first; of one name, where it is given. What the log has let go is left out. */
  async history(redis: Redis, name: Bytes | undefined, most: number): Promise<Change[]> {
    const found: Change[] = [];
    let end = '+';
    while (found.length < most) {
      const reply = replyFrom(await redis.callBuffer('XREVRANGE', [this.#log, end, '-', 'COUNT', historyPage]));
      const page = (Array.isArray(reply) ? reply : []).map((entry) => this.#change(entry));
      const last = page.at(-1);
      if (!last) break;
      for (const { previous, ...change } of page) {
        if (name === undefined || change.name === name) found.push(change);
      }
      end = `(${last.seq}-0`;
    }
    return found.slice(0, most);
  }

  #linked(entries: Reply, place: Head): LinkedChange[] {
    if (!Array.isArray(entries)) throw new Error('Redis answered something that is not a stream');
    const changes = entries.map((entry) => this.#change(entry));
    let before = place;
    for (const change of changes) {
      if (change.seq !== before.seq + 1) {
        throw new ChainBroken(`change log of shard ${this.shard}: ${change.seq} comes after ${before.seq}`);
      }
      if (change.previous !== before.nonce) {
        throw new ChainBroken(`change ${change.seq} does not follow from change ${before.seq}: data were lost`);
      }
      before = change;
    }
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
      ...{ acl: text('a'), from: text('f'), session: text('w'), by: text('b') },
      ...{ cause: text('c') as Cause, time: Number(text('t')) },
      ...{ nonce: text('k'), previous: text('p') },
    };
  }
}
