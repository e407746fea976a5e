// A Lua script: run by its digest, its arguments and answers byte strings.
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** One character (0 to 255) a byte. */
type Bytes = string;

/** What Redis answers: nested lists of byte strings; null for what is not there. */
export type Reply = Bytes | null | Reply[];

export class Script {
  readonly #source: string;
  readonly #digest: string;

  constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /** `key` routes the call to its slot; all arguments are bytes. */
  async run(redis: Redis, key: Bytes, args: readonly Bytes[]): Promise<Reply> {
    const rest = [1, bytes(key), ...args.map(bytes)];
    try {
      return replyFrom(await redis.callBuffer('EVALSHA', [this.#digest, ...rest]));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return replyFrom(await redis.callBuffer('EVAL', [this.#source, ...rest]));
    }
  }
}

/** ASCII is the same in UTF-8, which ioredis makes of a string: a command without buffers is put together at a third of the cost. */
function bytes(text: Bytes): Buffer | string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'latin1');
}

/** What ioredis gives for a call with buffers, as byte strings. */
export function replyFrom(value: unknown): Reply {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(replyFrom);
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  return null;
}

/** A reply that must be a list of byte strings; anything else is not ours. */
export function stringsIn(reply: Reply | undefined): Bytes[] {
  if (!Array.isArray(reply)) throw new Error('Redis answered something that is not a list');
  return reply.map((item) => (typeof item === 'string' ? item : ''));
}

/** A list of keys and values in turn, as a map. */
export function pairsIn(list: readonly Bytes[]): Map<Bytes, Bytes> {
  const map = new Map<Bytes, Bytes>();
  for (let i = 0; i + 1 < list.length; i += 2) map.set(list[i] ?? '', list[i + 1] ?? '');
  return map;
}
