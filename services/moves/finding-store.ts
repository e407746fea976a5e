// What audits have found, kept in Redis beside the moves, by tree: since when something is left over is known by it alone.
import { z } from 'zod';
import type { Bytes } from '../address/bytes.ts';
import type { commandConnection } from '../redis/connection.ts';
import { bytes } from '../redis/record-codec.ts';
import { pairsIn, replyFrom, Script, stringsIn } from '../redis/script.ts';
import { afterLook, findingKinds, isRemoving } from './audit.ts';
import type { Finding, KeptFinding } from './audit.ts';

type Redis = ReturnType<typeof commandConnection>;

/** A hash: a tree's findings as JSON, by its name. */
const key = 'rookery:{moves}:findings';

const form: z.ZodType<KeptFinding[]> = z.array(
  z.strictObject({
    ...{ kind: z.enum(findingKinds), tree: bytes, server: bytes, at: z.exactOptional(bytes), names: z.array(bytes) },
    ...{ since: z.int(), seen: z.int() },
  }),
);

/** ARGV: the tree, what was read, or nothing, and what it becomes, or nothing. What is not as it was read is another's. */
const replaceScript = new Script(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return '0' end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return '1'`);

export class FindingStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Of all trees, in no order; what another version has written is left out. */
  async all(): Promise<KeptFinding[]> {
    const reply = replyFrom(await this.#redis.callBuffer('HGETALL', [key]));
    return [...pairsIn(stringsIn(reply)).values()].flatMap((text) => findingsIn(text));
  }

  async of(tree: Bytes): Promise<KeptFinding[]> {
    return findingsIn(await this.#text(tree));
  }

  /** Keeps what a look at some servers has found of a tree; `now` in milliseconds since 1970. */
  looked(tree: Bytes, found: readonly Finding[], asked: ReadonlySet<Bytes>, now: number): Promise<KeptFinding[]> {
    return this.#change(tree, (kept) => afterLook(kept, found, asked, now));
  }

  /** A server is about to be told to remove a tree. */
  async removing(tree: Bytes, server: Bytes, now: number): Promise<void> {
    const fresh = { kind: 'removing' as const, tree, server, names: [tree], since: now, seen: now };
    await this.#change(tree, (kept) => [...kept.filter((one) => !isRemoving(one, server)), fresh]);
  }

  /** It has answered, was not told, or somebody has seen to it that it does nothing any more. */
  async removed(tree: Bytes, server: Bytes): Promise<void> {
    await this.#change(tree, (kept) => kept.filter((one) => !isRemoving(one, server)));
  }

  async #change(tree: Bytes, change: (kept: readonly KeptFinding[]) => KeptFinding[]): Promise<KeptFinding[]> {
    for (;;) {
      const text = await this.#text(tree);
      const after = change(findingsIn(text));
      const next = after.length === 0 ? '' : escaped(JSON.stringify(form.parse(after)));
      if (next === text) return after;
      if ((await replaceScript.run(this.#redis, key, [tree, text, next])) === '1') return after;
    }
  }

  async #text(tree: Bytes): Promise<string> {
    const text = await this.#redis.hgetBuffer(key, Buffer.from(tree, 'latin1'));
    return text?.toString('latin1') ?? '';
  }
}

/** Names are bytes: kept so that nothing in between takes them for text. */
function escaped(json: string): string {
  return json.replace(/[\x7f-\xff]/g, (byte) => `\\u00${byte.charCodeAt(0).toString(16)}`);
}

function findingsIn(text: string): KeptFinding[] {
  if (text === '') return [];
  try {
    return form.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
