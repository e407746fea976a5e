// Replies that MTAs may not have heard, kept in Redis for all proxies; what pairs there are, each proxy knows by heart.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { pairsIn, Script } from './script.ts';

/** One character (0 to 255) a byte. */
type Bytes = string;

/** One slot of a Redis Cluster: `reply:<pair>:<digest>` is a list of replies, `log` a stream of the pairs that have any. */
const prefix = 'rookery:{unheard}:';
const logKey = `${prefix}log`;

/** The most entries of the log, and so of pairs in memory: a thousand times what a bad day brings. */
const mostKept = 100_000;
/** Of the key that messages are digested with (AES-128), in bytes. */
const keyLength = 16;

/** Entries read from it at once. */
const atOnce = 1000;
/** How often the log is read, in milliseconds: an MTA may come again just when a backend answers at last. */
const readEvery = 100;
/** Without its turn for so long, in milliseconds, this process was stopped, and knows nothing of what others have kept. */
const asleep = 1000;

/** How often it is tried to keep a reply, and after what pause, in milliseconds: a Redis that is started again takes that. */
const tries = 20;
const pause = 500;
/** The most replies that wait for that; beyond it nobody waits. */
const mostWaiting = 1000;

/** Behind it the reply begins: what goes before makes it another than all others. */
const mark = '\0';

/** ARGV: the prefix, pair and digest, the most log entries, the time to keep it in seconds, the reply. Twice is as once. */
const keepScript = new Script(`
local list = ARGV[1] .. 'reply:' .. ARGV[2] .. ':' .. ARGV[3]
local again = redis.call('LREM', list, 1, ARGV[6])
redis.call('RPUSH', list, ARGV[6])
redis.call('EXPIRE', list, ARGV[5])
if again == 1 then return '1' end
redis.call('XADD', ARGV[1] .. 'log', 'MAXLEN', '~', ARGV[4], '*', 'pair', ARGV[2], 'more', '1')
redis.call('EXPIRE', ARGV[1] .. 'log', ARGV[5])
return '1'`);

/** ARGV: the prefix, pair and digest, the most log entries. The reply, or nothing. */
const takeScript = new Script(`
local text = redis.call('LPOP', ARGV[1] .. 'reply:' .. ARGV[2] .. ':' .. ARGV[3])
if text then redis.call('XADD', ARGV[1] .. 'log', 'MAXLEN', '~', ARGV[4], '*', 'pair', ARGV[2], 'more', '-1') end
return text`);

export interface UnheardSettings {
  /** For commands; to be closed by whoever has opened it. */
  redis: Redis;
  /** How long a reply is kept, in seconds. */
  keepFor: number;
  /** Told of each reply kept or taken, and of each that could not be. */
  count: (what: 'kept' | 'taken' | 'failed') => void;
}

/** How many replies are kept for a sender and a recipient, and until when, in milliseconds since 1970. */
interface Pair {
  replies: number;
  until: number;
}

export class UnheardReplies {
  readonly #settings: UnheardSettings;
  readonly #pairs = new Map<string, Pair>();
  #key: Buffer | undefined;
  /** The last log entry read. */
  #seen: string;
  #reading = Promise.resolve();
  /** Readings that have not come to an end. */
  #waiting = 0;
  /** Replies on their way to Redis. */
  readonly #keeping = new Set<Promise<void>>();
  #closing = false;
  /** When it had its turn last, in the milliseconds of `performance.now()`. */
  #awakeAt = performance.now();
  /** It was stopped, and has not read the log since. */
  #behind = false;
  readonly #timer: NodeJS.Timeout;

  constructor(settings: UnheardSettings) {
    this.#settings = settings;
    this.#seen = `${Math.max(0, Date.now() - settings.keepFor * 1000)}-0`;
    this.#timer = setInterval(() => {
      this.#turn();
    }, readEvery);
    this.#timer.unref();
    void this.refresh();
  }

  /** What messages are digested with: made once for all proxies. Undefined while Redis has not been reached yet. */
  get key(): Buffer | undefined {
    return this.#key;
  }

  #turn(): void {
    if (this.#hasSlept) {
      this.#behind = true;
      void this.refresh().then(() => (this.#behind = false));
    } else if (this.#waiting === 0) void this.refresh();
    this.#awakeAt = performance.now();
  }

  get #hasSlept(): boolean {
    return performance.now() - this.#awakeAt > asleep;
  }

  /** At once, from memory; what is older than that of others is not trusted. */
  mayHave(sender: Bytes, recipient: Bytes): boolean {
    if (this.#behind || this.#hasSlept) return true;
    if (this.#pairs.size === 0) return false;
    const pair = this.#pairs.get(nameOf(sender, recipient));
    return pair !== undefined && pair.until > Date.now();
  }

  /** In the background: what can't be kept is delivered twice. */
  keep(sender: Bytes, recipient: Bytes, digest: string, text: Bytes): void {
    const { keepFor, count } = this.#settings;
    const reply = `${randomBytes(9).toString('base64url')}${mark}${text}`;
    const args = [prefix, nameOf(sender, recipient), digest, String(mostKept), String(Math.ceil(keepFor)), reply];
    const keeping = this.#persist(args).then((kept) => {
      this.#keeping.delete(keeping);
      count(kept ? 'kept' : 'failed');
      if (kept) void this.refresh();
    });
    this.#keeping.add(keeping);
  }

  /** Redis may be away for a moment, or this process be stopped while it waits for the answer. */
  async #persist(args: readonly Bytes[]): Promise<boolean> {
    const most = this.#keeping.size < mostWaiting ? tries : 1;
    for (let left = most; left > 0; left--) {
      const kept = await this.#run(keepScript, args).then(
        () => true,
        () => false,
      );
      if (kept) return true;
      if (this.#closing) return false;
      if (left > 1) await sleep(pause);
    }
    return false;
  }

  /** One reply, which is not kept any more then. Never rejects. */
  async take(sender: Bytes, recipient: Bytes, digest: string): Promise<Bytes | undefined> {
    try {
      const text = await this.#run(takeScript, [prefix, nameOf(sender, recipient), digest, String(mostKept)]);
      if (typeof text !== 'string') return undefined;
      this.#settings.count('taken');
      void this.refresh();
      return text.slice(text.indexOf(mark) + 1);
    } catch {
      this.#settings.count('failed');
      return undefined;
    }
  }

  #run(script: Script, args: readonly Bytes[]) {
    return script.run(this.#settings.redis, logKey, args);
  }

  /** Learns what all proxies have kept and taken since the last time. Never rejects: without Redis, what is known stays. */
  async refresh(): Promise<void> {
    this.#waiting++;
    const reading = this.#reading.then(() => this.#read());
    this.#reading = reading.catch(() => undefined);
    await this.#reading;
    this.#waiting--;
  }

  async #read(): Promise<void> {
    const { redis } = this.#settings;
    this.#key ??= await sharedKey(redis);
    for (let count = atOnce; count === atOnce;) {
      const entries = await redis.xrange(logKey, `(${this.#seen}`, '+', 'COUNT', atOnce);
      count = entries.length;
      for (const [id, fields] of entries) this.#learn(id, pairsIn(fields));
    }
    const now = Date.now();
    for (const [name, { until }] of this.#pairs) if (until < now) this.#pairs.delete(name);
  }

  #learn(id: string, entry: ReadonlyMap<Bytes, Bytes>): void {
    this.#seen = id;
    const name = entry.get('pair') ?? '';
    const replies = (this.#pairs.get(name)?.replies ?? 0) + Number(entry.get('more'));
    if (replies > 0) this.#pairs.set(name, { replies, until: Number.parseInt(id) + this.#settings.keepFor * 1000 });
    else this.#pairs.delete(name);
  }

  /** Resolves when all that was to be kept is, or can't be now: only then may its connection go. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    await Promise.all(this.#keeping);
  }
}

/** A name for sender and recipient that tells nobody who they are. */
function nameOf(sender: Bytes, recipient: Bytes): string {
  return createHash('sha256').update(`${sender}\0${recipient}`, 'latin1').digest('base64url').slice(0, 22);
}

async function sharedKey(redis: Redis): Promise<Buffer> {
  await redis.set(`${prefix}key`, randomBytes(keyLength).toString('hex'), 'NX');
  const key = Buffer.from((await redis.get(`${prefix}key`)) ?? '', 'hex');
  // With none that fits nothing is remembered, and it is asked for again; a message must not wait for it.
  if (key.length !== keyLength) throw new Error(`${prefix}key is no key of ${keyLength} bytes`);
  return key;
}
