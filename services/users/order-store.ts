// Where orders of users are kept in Redis, beside the queues: one at a time of a user.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { commandConnection } from '../redis/connection.ts';
import { OpenRecords, UnreadableRecord } from '../redis/open-records.ts';
import { bytes, recordCodec } from '../redis/record-codec.ts';
import { following } from './order.ts';
import type { Order } from './order.ts';

type Redis = ReturnType<typeof commandConnection>;

/** The hash tag is that of the queues, with which they are kept. */
const keys = { record: 'rookery:{events}:order:', open: 'rookery:{events}:orders' };

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

/** An order as it was read: only as such may it be replaced. */
export interface Kept {
  order: Order;
  text: string;
}

/** What is kept as an order is none, or one of another version. It is worth no more than a refused one: a new one takes its place. */
export class UnreadableOrder extends UnreadableRecord {
  override readonly name = 'UnreadableOrder';
}

/** What became of an attempt to order something. */
export type Placed = { is: 'placed' } | { is: 'open'; order: Order };

export class OrderStore {
  readonly #records: OpenRecords<Order>;

  /** `keepDone`: how long what is over can be asked for, in seconds. */
  constructor(redis: Redis, keepDone: number) {
    this.#records = new OpenRecords(redis, {
      ...{ keys, codec: recordCodec(form), keepDone },
      unreadable: (name, text) =>
        new UnreadableOrder(`what was ordered of ${readable(name)} cannot be read: order it again`, text),
    });
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await this.#records.begun();
  }

  /** Keeps a new order, unless another one for the same user is open: there is one at a time. */
  async place(order: Order): Promise<Placed> {
    const before = await this.#records.place(order.name, (before) =>
      before?.state === 'open' ? undefined : following(order, before),
    );
    return before ? { is: 'open', order: before } : { is: 'placed' };
  }

  /**
   * The order of a user, open or done a while ago. Rejects when Redis does not answer; with UnreadableOrder, once it is no
   * more among the open ones, where something else is kept there.
   */
  async read(name: Bytes): Promise<Kept | undefined> {
    const kept = await this.#records.read(name);
    return kept && { order: kept.record, text: kept.text };
  }

  /** Replaces an order by what it has become; undefined where another worker was faster. */
  async replace(kept: Kept, order: Order): Promise<Kept | undefined> {
    const text = await this.#records.replace(kept.text, order);
    return text === undefined ? undefined : { order, text };
  }

  /** The users with open orders, those of the oldest first. */
  async open(most: number): Promise<Bytes[]> {
    return this.#records.open(most);
  }
}
