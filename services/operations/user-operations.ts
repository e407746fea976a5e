// What an operator asks of users: to have them made and deleted, and what became of that.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Wish } from '../users/order.ts';
import { UnreadableOrder } from '../users/order-store.ts';
import { UnfitOrder } from '../users/ordering.ts';
import type { Ordering } from '../users/ordering.ts';
import { orderValueOf } from './order-value.ts';
import type { OrderValue } from './order-value.ts';
import { Refusal } from './refusal.ts';

/** All reject with a Refusal. */
export interface UserOperations {
  /**
   * Orders it, and does not wait for its end; `by` is who says so. The same again changes nothing. Refused as data where
   * there can be no such user, as unsafe while another order of the same user is open.
   */
  order(name: Bytes, wish: Wish, by: string): Promise<OrderValue>;
  /** Takes an open order back. Refused as unsafe where there is none, or its server may have been told. */
  cancel(name: Bytes, by: string): Promise<OrderValue>;
  /** What was ordered last. Refused as missing where nothing is known of it (any more). */
  show(name: Bytes): Promise<OrderValue>;
}

export function userOperations(ordering: Pick<Ordering, 'place' | 'read' | 'cancel'>): UserOperations {
  const show = async (name: Bytes) => {
    const found = await ordering.read(name).catch(refuseUnreadable);
    if (found) return orderValueOf(found);
    throw new Refusal('missing', `${readable(name)}: no order is known`);
  };
  return {
    show,
    async cancel(name, by) {
      const cancelled = await ordering.cancel(name, bytesFromText(by)).catch((error: unknown) => {
        if (error instanceof UnfitOrder) throw new Refusal('unsafe', error.message, { cause: error });
        throw error;
      });
      return orderValueOf(cancelled);
    },
    async order(name, wish, by) {
      const placed = await ordering.place(name, wish, bytesFromText(by)).catch((error: unknown) => {
        if (error instanceof UnfitOrder) throw new Refusal('data', error.message, { cause: error });
        throw error;
      });
      if (placed.is === 'open' && JSON.stringify(placed.order.wish) !== JSON.stringify(wish)) {
        const { wish: other, note } = placed.order;
        throw new Refusal('unsafe', `${readable(name)} has another order open: ${other.is} (${note})`);
      }
      return show(name);
    },
  };
}

function refuseUnreadable(error: unknown): never {
  if (error instanceof UnreadableOrder) throw new Refusal('data', error.message, { cause: error });
  throw error;
}
