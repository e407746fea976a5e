// Records in Redis of which some are open: each is kept before anything is done about it, and is replaced only as it was read,
// so that a worker that dies leaves its place to the next.
import { connected } from './connection.ts';
import type { commandConnection } from './connection.ts';
import type { RecordCodec } from './record-codec.ts';

type Redis = ReturnType<typeof commandConnection>;

/** One character (0 to 255) a byte. */
type Bytes = string;

/** How long Redis may take to answer at first, in milliseconds. */
const commandTimeout = 5000;

/** How many are read in one go. */
const batch = 500;

/**
 * KEYS = the record, the open ones, and its group where it has one. ARGV = what was read, or empty, what it becomes, the name,
 * since, its state, how long one that is over is kept, in seconds. What is not as it was read any more is somebody else's work.
 */
const replaceScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if KEYS[3] then redis.call('SADD', KEYS[3], ARGV[3]) end
if ARGV[5] == 'open' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
  if KEYS[3] then redis.call('PERSIST', KEYS[3]) end
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[6])
  redis.call('ZREM', KEYS[2], ARGV[3])
  if KEYS[3] then redis.call('EXPIRE', KEYS[3], ARGV[6]) end
end
return 1`;

/** Closes a record without a change to it. KEYS = the record, the open ones. ARGV = what was read, the name. */
const closeScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('ZREM', KEYS[2], ARGV[2]) end`;

/** What every record has, whatever else it says. */
export interface OpenRecord {
  /** There is one record of a name. */
  name: Bytes;
  /** In milliseconds since 1970. */
  since: number;
  /** `open`, or one of the ways to be over. */
  state: string;
}

/** Where records lie. All keys share a hash tag, so that a script may touch them together on Redis Cluster too. */
export interface RecordKeys<R> {
  /** Before the name. */
  record: string;
  /** The names of those that are open, by since when. */
  open: string;
  /** A set of names that is kept as long as the newest of its records; undefined where the record is in none. */
  group?: (record: R) => string | undefined;
}

export interface OpenRecordsOptions<R> {
  keys: RecordKeys<R>;
  codec: RecordCodec<R>;
  /** How long what is over can be asked for, in seconds. */
  keepDone: number;
  /** What is thrown of a name where something is kept that is no record. */
  unreadable: (name: Bytes, text: string) => Error;
}

/** A record, and its text as it was read: only as such may it be replaced. */
export interface KeptRecord<R> {
  record: R;
  text: string;
}

/** What is kept is no record, or one of another version. It is worth no more than a refused one: a new one takes its place. */
export class UnreadableRecord extends Error {
  override readonly name: string = 'UnreadableRecord';
  readonly kind = 'refused';
  readonly text: string;

  constructor(message: string, text: string) {
    super(message);
    this.text = text;
  }
}

export class OpenRecords<R extends OpenRecord> {
  readonly #redis: Redis;
  readonly #options: OpenRecordsOptions<R>;

  constructor(redis: Redis, options: OpenRecordsOptions<R>) {
    this.#redis = redis;
    this.#options = options;
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await connected(this.#redis, commandTimeout);
  }

  /**
   * Keeps what `next` makes of what is kept there, which is asked again whenever somebody was faster. Where it makes nothing,
   * what is there stands in the way, and is given. What cannot be read is as nothing.
   */
  async place(name: Bytes, next: (before: R | undefined) => R | undefined): Promise<R | undefined> {
    for (;;) {
      const text = await this.#redis.get(this.#keyOf(name));
      const before = text === null ? undefined : this.#options.codec.read(text);
      const record = next(before);
      if (!record) return before;
      if ((await this.replace(text ?? '', record)) !== undefined) return undefined;
    }
  }

  /**
   * The record of a name, open or over a while ago. Rejects when Redis does not answer; with what is unreadable, once it is no
   * more among the open ones, where something else is kept there.
   */
  async read(name: Bytes): Promise<KeptRecord<R> | undefined> {
    const { codec, keys, unreadable } = this.#options;
    const text = await this.#redis.get(this.#keyOf(name));
    if (text === null) return undefined;
    const record = codec.read(text);
    if (record) return { record, text };
    await this.#redis.call('EVAL', [closeScript, 2, this.#keyOf(name), keys.open, text, Buffer.from(name, 'latin1')]);
    throw unreadable(name, text);
  }

  /** Keeps a record in place of the text that was read (empty: of none), and gives its own; undefined where somebody was faster. */
  async replace(text: string, record: R): Promise<string | undefined> {
    const { codec, keys, keepDone } = this.#options;
    const group = keys.group?.(record);
    const touched = [this.#keyOf(record.name), keys.open, ...(group === undefined ? [] : [group])];
    const written = codec.written(record);
    const name = Buffer.from(record.name, 'latin1');
    const args = [text, written, name, record.since, record.state, keepDone];
    const answer = await this.#redis.call('EVAL', [replaceScript, touched.length, ...touched, ...args]);
    return answer === 1 ? written : undefined;
  }

  /** The names of open ones, those of the oldest first. */
  async open(most: number): Promise<Bytes[]> {
    const names = await this.#redis.zrangeBuffer(this.#options.keys.open, '0', String(most - 1));
    return names.map((name) => name.toString('latin1'));
  }

  /** How many are open. */
  async openCount(): Promise<number> {
    return this.#redis.zcard(this.#options.keys.open);
  }

  /** Those of these names, in no order; without what cannot be read. */
  async readAll(names: readonly Bytes[]): Promise<R[]> {
    const records: R[] = [];
    for (let at = 0; at < names.length; at += batch) {
      const texts = await this.#redis.mget(names.slice(at, at + batch).map((name) => this.#keyOf(name)));
      for (const text of texts) {
        const record = typeof text === 'string' ? this.#options.codec.read(text) : undefined;
        if (record) records.push(record);
      }
    }
    return records;
  }

  /** Those of a group, in no order; the records of its names may be of another one by now. */
  async readGroup(group: string): Promise<R[]> {
    const names = await this.#redis.smembersBuffer(group);
    return this.readAll(names.map((name) => name.toString('latin1')));
  }

  #keyOf(name: Bytes): string {
    return this.#options.keys.record + nameInKey(name);
  }
}

/** A name as it stands in keys: they are text, and a name need not be any. */
export function nameInKey(name: Bytes): string {
  return Buffer.from(name, 'latin1').toString('base64url');
}
