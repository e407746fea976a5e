// How far backends are that are emptied, in Redis beside the runs: whoever looks next goes on from there, whoever was killed.
import { z } from 'zod';
import type { Bytes } from '../address/bytes.ts';
import { Script } from '../redis/script.ts';
import type { commandConnection } from '../redis/connection.ts';
import { emptyingStates } from './emptying.ts';
import type { Emptying } from './emptying.ts';

type Redis = ReturnType<typeof commandConnection>;

/** A hash: as JSON by the name of the backend. */
const key = 'rookery:{moves}:emptying';

const bytes = z.string().regex(/^[\x00-\xff]*$/);
const count = z.int().nonnegative();
const form: z.ZodType<Emptying> = z.strictObject({
  ...{ server: bytes, state: z.enum(emptyingStates), by: bytes, since: z.int(), rounds: count },
  ...{ run: z.exactOptional(z.string()), at: z.int(), note: z.string(), leftTrees: count },
  left: z.array(z.strictObject({ name: bytes, why: z.string() })),
});

/** ARGV: the backend, what was read, or nothing, and what it becomes, or nothing. What is not as it was read is another's. */
const replaceScript = new Script(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return '0' end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return '1'`);

export interface KeptEmptying {
  /** Undefined where nothing is kept, or what another version has written. */
  emptying: Emptying | undefined;
  text: string;
}

export class EmptyingStore {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async read(server: Bytes): Promise<KeptEmptying> {
    const text = (await this.#redis.hgetBuffer(key, Buffer.from(server, 'latin1')))?.toString('latin1') ?? '';
    return { emptying: emptyingIn(text), text };
  }

  /** False where somebody else was faster. Undefined: nothing is kept any more. */
  async replace(server: Bytes, { text }: KeptEmptying, next: Emptying | undefined): Promise<boolean> {
    const written = next === undefined ? '' : escaped(JSON.stringify(form.parse(next)));
    return (await replaceScript.run(this.#redis, key, [server, text, written])) === '1';
  }
}

/** Names are bytes, and notes text: kept so that nothing in between takes one for the other. */
function escaped(json: string): string {
  return json.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function emptyingIn(text: string): Emptying | undefined {
  try {
    return text === '' ? undefined : form.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
