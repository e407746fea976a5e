// The source's manifest of a move, kept in Redis beside it: whoever goes on after a crash can still compare.
import { z } from 'zod';
import type { Bytes } from '../address/bytes.ts';
import type { commandConnection } from '../redis/connection.ts';
import { nameInKey } from '../redis/open-records.ts';
import { bytes } from '../redis/record-codec.ts';
import type { Manifest } from './manifest.ts';
import type { Move } from './move.ts';
import { prefix } from './move-store.ts';

type Redis = ReturnType<typeof commandConnection>;

/** What is known of a kept manifest without reading it. */
export interface ManifestHead {
  /** The token of the lease under which it was taken. */
  hold: string;
  /** The servers of the move that it was taken for. */
  from: Bytes;
  to: Bytes;
  /** Of the root mailbox. */
  uniqueId: string;
  /** The destination was found to have all of it, and no cut was tried since. */
  whole: boolean;
}

export interface ManifestStore {
  /** Undefined where none is kept for this move. */
  head(move: Move): Promise<ManifestHead | undefined>;
  read(move: Move): Promise<Manifest | undefined>;
  /** In place of one that was kept. `hold`: the token of the lease under which it was taken. */
  keep(move: Move, manifest: Manifest, hold: string): Promise<void>;
  /** The destination was compared with it, or is cut anew. Nothing happens where another one is kept by now. */
  compared(move: Move, hold: string, whole: boolean): Promise<void>;
  drop(name: Bytes): Promise<void>;
}

/** A manifest in few bytes, and back. */
export interface ManifestCodec {
  written(manifest: Manifest): Promise<Buffer>;
  /** Throws on what is none. */
  read(bytes: Buffer): Promise<Manifest>;
}

const form: z.ZodType<ManifestHead> = z.strictObject({
  ...{ hold: z.string(), from: bytes, to: bytes, uniqueId: z.string(), whole: z.boolean() },
});

/** KEYS = the manifest. ARGV = its head as it was read, its head now. */
const headScript = `
if redis.call('HGET', KEYS[1], 'head') == ARGV[1] then redis.call('HSET', KEYS[1], 'head', ARGV[2]) end`;

export class RedisManifests implements ManifestStore {
  readonly #redis: Redis;
  readonly #codec: ManifestCodec;
  readonly #keepFor: number;

  /** `keepFor`: how long one is kept that nobody drops, in seconds. */
  constructor(redis: Redis, codec: ManifestCodec, keepFor: number) {
    this.#redis = redis;
    this.#codec = codec;
    this.#keepFor = keepFor;
  }

  async head(move: Move): Promise<ManifestHead | undefined> {
    return (await this.#head(move))?.head;
  }

  async read(move: Move): Promise<Manifest | undefined> {
    if (!(await this.head(move))) return undefined;
    const body = await this.#redis.hgetBuffer(keyOf(move.name), 'body');
    return body === null ? undefined : this.#codec.read(body);
  }

  async keep(move: Move, manifest: Manifest, hold: string): Promise<void> {
    const head: ManifestHead = {
      ...{ hold, from: move.from.server, to: move.to.server, whole: false },
      uniqueId: manifest.mailboxes[0]?.uniqueId ?? '',
    };
    const key = keyOf(move.name);
    const body = await this.#codec.written(manifest);
    await this.#redis
      .multi()
      .hset(key, { head: JSON.stringify(head), body })
      .expire(key, this.#keepFor)
      .exec();
  }

  async compared(move: Move, hold: string, whole: boolean): Promise<void> {
    const known = await this.#head(move);
    if (known?.head.hold !== hold || known.head.whole === whole) return;
    const next = JSON.stringify({ ...known.head, whole });
    await this.#redis.call('EVAL', [headScript, 1, keyOf(move.name), known.text, next]);
  }

  async drop(name: Bytes): Promise<void> {
    await this.#redis.del(keyOf(name));
  }

  async #head({ name, from, to }: Move): Promise<{ head: ManifestHead; text: string } | undefined> {
    const text = await this.#redis.hget(keyOf(name), 'head');
    if (text === null) return undefined;
    const head = form.parse(JSON.parse(text));
    // One of an earlier move of the name that was stopped.
    return head.from === from.server && head.to === to.server ? { head, text } : undefined;
  }
}

function keyOf(name: Bytes): string {
  return `${prefix}manifest:${nameInKey(name)}`;
}
