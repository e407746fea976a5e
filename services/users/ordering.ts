// Taking an order: whose it may be, kept before it is rung for, so that a ring that is lost loses nothing.
import type { Bytes } from '../address/bytes.ts';
import { isUser, unfitUserName } from '../address/user-name.ts';
import { highestQuota } from '../backends/imap-quota.ts';
import type { Order, Wish } from './order.ts';
import type { OrderStore, Placed } from './order-store.ts';

/** A name, or a wish, that no order can be about; the message says why. */
export class UnfitOrder extends Error {
  override readonly name = 'UnfitOrder';
}

export interface OrderingOptions {
  orders: Pick<OrderStore, 'place' | 'read'>;
  /** Has a worker look at the order of a user. */
  ring: (name: Bytes) => void;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

export class Ordering {
  readonly #options: Required<OrderingOptions>;

  constructor(options: OrderingOptions) {
    this.#options = { clock: Date.now, ...options };
  }

  /** Keeps the order and rings for it. Rejects with UnfitOrder, or when Redis does not answer. */
  async place(name: Bytes, wish: Wish, by: Bytes): Promise<Placed> {
    const unfit = unfitOrder(name, wish);
    if (unfit !== undefined) throw new UnfitOrder(unfit);
    const order = { name, wish, by, since: this.#options.clock(), state: 'open', begun: false, made: false } as const;
    const placed = await this.#options.orders.place({ ...order, passed: [], note: 'ordered' });
    // Also for what was ordered before: its ring may have been lost.
    this.#options.ring(name);
    return placed;
  }

  /** What became of the order of a user; undefined where none is known (any more). */
  async read(name: Bytes): Promise<Order | undefined> {
    return (await this.#options.orders.read(name))?.order;
  }
}

/** Why nobody can be ordered so; a sentence, undefined where he can. Users of any name are deleted, and renamed. */
export function unfitOrder(name: Bytes, wish: Wish): string | undefined {
  if (wish.is === 'create') return unfitUserName(name) ?? unfitQuota(wish.quota);
  if (!isUser(name)) return unfitUserName(name);
  if (wish.is === 'delete') return undefined;
  return wish.to === name ? 'the new name is the old one' : unfitUserName(wish.to);
}

function unfitQuota(quota: number | undefined): string | undefined {
  if (quota === undefined || (Number.isInteger(quota) && quota >= 0 && quota <= highestQuota)) return undefined;
  return `${quota} KiB is no quota: it may be a whole number of KiB from 0 to ${highestQuota} (2 TiB)`;
}
