// Taking an order: whose it may be, kept before it is rung for, so that a ring that is lost loses nothing.
import { maxMailboxName } from '../address/mailbox-name.ts';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Order, Wish } from './order.ts';
import type { OrderStore, Placed } from './order-store.ts';

/** In KiB, as IMAP's QUOTA counts storage; Cyrus keeps it in a signed 64-bit number of bytes, text and JSON in less. */
export const mostQuota = Math.floor(Number.MAX_SAFE_INTEGER / 1024);

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
    refuseUnfit(name);
    refuseUnfitWish(name, wish);
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

/** A user is an INBOX: `user.jdoe`, `example.org!user.jane^doe`; its folders come and go with it. */
export function isUser(name: Bytes): boolean {
  return /^(?:[^!.][^!]*!)?user\.[^.!]+$/s.test(name);
}

function refuseUnfitWish(name: Bytes, wish: Wish): void {
  if (wish.is === 'rename') refuseUnfit(wish.to);
  if (wish.is === 'rename' && wish.to === name) throw new UnfitOrder('the new name is the old one');
  const { quota = 0 } = wish as { quota?: number };
  if (Number.isInteger(quota) && quota >= 0 && quota <= mostQuota) return;
  throw new UnfitOrder(`the quota is ${quota} KiB; it may be a whole number of KiB from 0 to ${mostQuota}`);
}

/** Throws UnfitOrder for a name that no user can have. */
export function refuseUnfit(name: Bytes): void {
  if (!isUser(name)) {
    throw new UnfitOrder(
      `${readable(name)} is no user's INBOX: it may be user.NAME or DOMAIN!user.NAME, a dot in NAME being ^`,
    );
  }
  // Cyrus takes none of these in names (facts: its mailbox name rules).
  if (/[\x00-\x1f\x7f"%*\\/]/.test(name))
    throw new UnfitOrder(`${readable(name)} has a character that no mailbox name may have`);
  if (name.length > maxMailboxName) throw new UnfitOrder(`${readable(name)} is longer than ${maxMailboxName} octets`);
}
