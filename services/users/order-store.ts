// Orders in Redis, beside the queues: kept before anything is done, so that a worker that dies leaves its place to the next.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { connected } from '../redis/connection.ts';
import type { commandConnection } from '../redis/connection.ts';
import { following } from './order.ts';
import type { Order } from './order.ts';

type Redis = ReturnType<typeof commandConnection>;

/** Before the names of all keys; the hash tag is that of the queues, with which they are kept. */
const prefix = 'rookery:{events}:';
const openKey = `${prefix}orders`;

/** How long Redis may take to answer at first, in milliseconds. */
const commandTimeout = 5000;

const bytes = z.string().regex(/^[\x00-\xff]*$/);
const place = z.strictObject({ server: bytes, partition: bytes });
const passed = z.strictObject({ server: bytes, is: z.enum(['refused', 'silent']), why: z.string() });
const wish = z.discriminatedUnion('is', [
  z.strictObject({
    is: z.literal('create'),
    server: z.exactOptional(bytes),
    partition: z.exactOptional(bytes),
    zone: z.exactOptional(z.string()),
    quota: z.exactOptional(z.int().nonnegative()),
  }),
  z.strictObject({ is: z.literal('delete') }),
  z.strictObject({ is: z.literal('rename'), to: bytes }),
]);
const form: z.ZodType<Order> = z.strictObject({
  ...{
    name: bytes,
    wish,
    by: bytes,
    since: z.int(),
    state: z.enum(['open', 'done', 'refused', 'cancelled']),
    place: z.exactOptional(place),
  },
  ...{
    begun: z.boolean(),
    version: z.exactOptional(z.int()),
    made: z.boolean(),
    passed: z.array(passed),
    note: z.string(),
  },
});

/**
 * KEYS = the order, the open orders. ARGV = what was read, or empty, what it becomes, the name, since, its state, how long one
 * that is over is kept, in seconds. An order that is not as it was read any more is somebody else's work.
 */
const replaceScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[5] == 'open' then
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[6])
  redis.call('ZREM', KEYS[2], ARGV[3])
end
return 1`;

/** Closes an order without a change to it. KEYS = the order, the open orders. ARGV = what was read, the name. */
const closeScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('ZREM', KEYS[2], ARGV[2]) end`;

/** An order as it was read: only as such may it be replaced. */
export interface Kept {
  order: Order;
  text: string;
}

/** What is kept as an order is none, or one of another version. It is worth no more than a refused one: a new one takes its place. */
export class UnreadableOrder extends Error {
  override readonly name = 'UnreadableOrder';
  readonly kind = 'refused';
  readonly text: string;

  constructor(name: Bytes, text: string) {
    super(`what was ordered of ${readable(name)} cannot be read: order it again`);
    this.text = text;
  }
}

/** What became of an attempt to order something. */
export type Placed = { is: 'placed' } | { is: 'open'; order: Order };

export class OrderStore {
  readonly #redis: Redis;
  readonly #keepDone: number;

  /** `keepDone`: how long what is over can be asked for, in seconds. */
  constructor(redis: Redis, keepDone: number) {
    this.#redis = redis;
    this.#keepDone = keepDone;
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await connected(this.#redis, commandTimeout);
  }

  /** Keeps a new order, unless another one for the same user is open: there is one at a time. */
  async place(order: Order): Promise<Placed> {
    for (;;) {
      const text = await this.#redis.get(keyOf(order.name));
      const before = text === null ? undefined : orderIn(text);
      if (before?.state === 'open') return { is: 'open', order: before };
      if (await this.#replace(text ?? '', following(order, before))) return { is: 'placed' };
    }
  }

  /**
   * The order of a user, open or done a while ago. Rejects when Redis does not answer; with UnreadableOrder, once it is no
   * more among the open ones, where something else is kept there.
   */
  async read(name: Bytes): Promise<Kept | undefined> {
    const text = await this.#redis.get(keyOf(name));
    if (text === null) return undefined;
    const order = orderIn(text);
    if (order) return { order, text };
    await this.#redis.call('EVAL', [closeScript, 2, keyOf(name), openKey, text, Buffer.from(name, 'latin1')]);
    throw new UnreadableOrder(name, text);
  }

  /** Replaces an order by what it has become; undefined where another worker was faster. */
  async replace(kept: Kept, order: Order): Promise<Kept | undefined> {
    return (await this.#replace(kept.text, order)) ? { order, text: written(order) } : undefined;
  }

  /** The users with open orders, those of the oldest first. */
  async open(most: number): Promise<Bytes[]> {
    const names = await this.#redis.zrangeBuffer(openKey, '0', String(most - 1));
    return names.map((name) => name.toString('latin1'));
  }

  async #replace(text: string, order: Order): Promise<boolean> {
    const name = Buffer.from(order.name, 'latin1');
    const keep = [order.since, order.state, this.#keepDone];
    const args = [keyOf(order.name), openKey, text, written(order), name, ...keep];
    return (await this.#redis.call('EVAL', [replaceScript, 2, ...args])) === 1;
  }
}

function keyOf(name: Bytes): string {
  return `${prefix}order:${Buffer.from(name, 'latin1').toString('base64url')}`;
}

/** Throws where it could not be read again: better now than ever after. */
function written(order: Order): string {
  return JSON.stringify({ v: 1, ...form.parse(order) });
}

/** Undefined where it is none. */
function orderIn(text: string): Order | undefined {
  try {
    const { v, ...order } = z.looseObject({ v: z.literal(1) }).parse(JSON.parse(text));
    return form.parse(order);
  } catch {
    return undefined;
  }
}
