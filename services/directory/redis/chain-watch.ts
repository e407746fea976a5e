// Whether Redis is still the one it was: what this process knows of each shard's history, held against what is there.
import type { Redis } from 'ioredis';
import type { Head, Standing } from '../directory.ts';
import type { Bytes } from '../entry.ts';
import { keyNames, shardPrefix } from './keys.ts';
import { pairsIn, raiseScript, stringsIn, verifyScript } from './script.ts';
import { treeRule } from '../tree.ts';

/** A place in a shard's history: a change, and the epoch in which it was seen. */
export interface Place extends Head {
  epoch: number;
}

export interface ChainWatchOptions {
  /** The connection that is read by. */
  redis: Redis;
  /** Another one that changes are seen by: lost, it makes doubtful what is seen next. */
  writes?: Redis;
  shards: number;
  /** What an earlier process knew of each shard; a Redis that does not know it has lost data. */
  remembered?: readonly Place[];
  /** Given each new place, for a later process. */
  remember?: (places: readonly Place[]) => void;
  /** Told once of each loss that this process has seen. */
  onLoss: (loss: string) => void;
  onError: (error: Error) => void;
}

/** How often everything is compared while nobody asks, in milliseconds: a wiped Redis closes no connection. */
const heartbeat = 1000;

/**
 * Modes: doubting, from the loss of the connection until all shards have been compared on the new one; sure. A read made
 * while doubting proves nothing. What contradicts the place that was known when a read was sent makes it doubt, too.
 */
export class ChainWatch {
  readonly #options: ChainWatchOptions;
  readonly #known: (Place | undefined)[];
  #doubt: string | undefined = 'the connection to Redis is not verified yet';
  #verifying: Promise<void> | undefined;
  #again = false;
  /** Counts the connections that were lost: what was compared on one of them says nothing about the next. */
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;
  #remembered = '';

  constructor(options: ChainWatchOptions) {
    this.#options = options;
    const { remembered = [] } = options;
    this.#known = Array.from({ length: options.shards }, (_, shard) => remembered[shard]);
  }

  /** Compares now, and from now on with each heartbeat and on each new connection. Rejects when Redis can't be asked. */
  async begin(): Promise<void> {
    const { redis, writes } = this.#options;
    redis.on('close', this.#disconnected);
    redis.on('ready', this.#ask);
    writes?.on('close', this.#disconnected);
    writes?.on('ready', this.#ask);
    this.#timer = setInterval(this.#ask, heartbeat).unref();
    await this.verify();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const one of [this.#options.redis, this.#options.writes]) {
      one?.off('close', this.#disconnected).off('ready', this.#ask);
    }
  }

  /** The newest change of a shard that is known to have been there. */
  known(shard: number): Place | undefined {
    return this.#known[shard];
  }

  /**
   * A change that was seen to be there: by its writer, or by a reader of the log. While in doubt it counts for nothing: two
   * writes to a Redis that has lost one change would hide the loss.
   */
  saw(shard: number, { seq, nonce }: Head): void {
    const known = this.#known[shard];
    if (this.#doubt === undefined && known && seq > known.seq) this.#known[shard] = { epoch: known.epoch, seq, nonce };
  }

  /** Why a read proves nothing; undefined when it may. `before` is what was known of its shard when it was sent. */
  doubtOf(shard: number, before: Place | undefined, standing: Standing, head: Head): string | undefined {
    if (this.#doubt !== undefined) return this.#doubt;
    if (!before) return 'nothing is known of its history';
    const went = head.seq < before.seq || (head.seq === before.seq && head.nonce !== before.nonce);
    if (standing.epoch === before.epoch && !went) {
      this.saw(shard, head);
      return undefined;
    }
    this.#ask();
    return standing.epoch === before.epoch ? 'its history went back' : 'its epoch has changed';
  }

  /** Compares all shards; one comparison at a time, and what was asked for meanwhile gets one of its own. */
  verify(): Promise<void> {
    this.#again = this.#verifying !== undefined;
    this.#verifying ??= this.#verifyAll().finally(() => {
      this.#verifying = undefined;
      if (this.#again) this.#ask();
    });
    return this.#verifying;
  }

  /** Begins a new epoch in all shards, for a reason that can't be seen from here. */
  async distrust(why: string): Promise<void> {
    await this.verify();
    for (const [shard, known] of this.#known.entries()) if (known) await this.#raise(shard, known, known, why);
  }

  readonly #disconnected = (): void => {
    this.#losses += 1;
    this.#doubt = 'the connection to Redis was lost and is not verified again';
  };

  readonly #ask = (): void => {
    this.verify().catch((error: unknown) => {
      // A connection that is away tells so itself.
      if (this.#options.redis.status === 'ready') this.#options.onError(error as Error);
    });
  };

  async #verifyAll(): Promise<void> {
    const { redis } = this.#options;
    const losses = this.#losses;
    const role = stringsIn((await redis.role()).map(String))[0];
    for (let shard = 0; shard < this.#known.length; shard++) await this.#verifyShard(shard);
    // A connection lost meanwhile was compared in part only.
    if (this.#losses !== losses) return;
    this.#doubt = role === 'master' ? undefined : `Redis is a ${role === 'slave' ? 'replica' : String(role)}`;
    this.#tell();
  }

  async #verifyShard(shard: number): Promise<void> {
    const { redis } = this.#options;
    const prefix = shardPrefix(shard);
    const known = this.#known[shard];
    const reply = await verifyScript.run(redis, prefix + keyNames.meta, [prefix, String(known?.seq ?? 0)]);
    const [words, nonce, first] = Array.isArray(reply) ? reply : [];
    const meta = pairsIn(stringsIn(words));
    const seen = placeIn(meta);
    const loss = known && lossBetween(known, seen, { nonce: String(nonce), first: Number(first) });
    if (loss === undefined || (known && seen.epoch > known.epoch && meta.get('lost')?.startsWith(`${seen.epoch} `))) {
      // Somebody else has seen the loss, and begun the epoch, or all is well.
      const newer = this.#known[shard];
      if (!newer || newer === known || seen.epoch > newer.epoch) this.#known[shard] = seen;
      return;
    }
    await this.#raise(shard, seen, known, loss);
  }

  async #raise(shard: number, seen: Place, known: Place | undefined, loss: string): Promise<void> {
    const { redis, shards, onLoss } = this.#options;
    const prefix = shardPrefix(shard);
    const expected = seen.epoch < 1 ? '' : String(seen.epoch);
    const highest = Math.max(known?.epoch ?? 0, seen.epoch);
    const text = `shard ${shard}: ${loss}`;
    const args = [prefix, expected, String(highest), text, String(shards), String(treeRule)];
    const epoch = Number(await raiseScript.run(redis, prefix + keyNames.meta, args));
    this.#known[shard] = { ...seen, epoch };
    onLoss(text);
  }

  #tell(): void {
    const places = this.#known.flatMap((place) => place ?? []);
    const text = JSON.stringify(places);
    if (text === this.#remembered) return;
    this.#remembered = text;
    this.#options.remember?.(places);
  }
}

/** How data were lost between a place that is known and what is there now; undefined when they were not. */
function lossBetween(known: Place, seen: Place, at: { nonce: Bytes; first: number }): string | undefined {
  if (seen.epoch < 1) return `the directory is gone; it was at change ${known.seq}`;
  if (seen.epoch < known.epoch) return `epoch ${known.epoch} is gone, ${seen.epoch} is back`;
  if (seen.seq < known.seq) return `the log ends at change ${seen.seq}, and was at ${known.seq}`;
  const nonce = seen.seq === known.seq ? seen.nonce : at.nonce;
  // What was trimmed can't be compared: the log holds nothing from before `first`.
  if (nonce === '' && known.seq < at.first) return undefined;
  return nonce === known.nonce ? undefined : `change ${known.seq} is another than it was`;
}

function placeIn(meta: ReadonlyMap<Bytes, Bytes>): Place {
  return { epoch: Number(meta.get('epoch') ?? 0), seq: Number(meta.get('seq') ?? 0), nonce: meta.get('nonce') ?? '' };
}
