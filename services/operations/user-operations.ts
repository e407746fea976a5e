// What an operator asks of users: to have them made, renamed and deleted, one or many, and what became of that.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import { unfitUserName } from '../address/user-name.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Order, Wish } from '../users/order.ts';
import { UnreadableOrder } from '../users/order-store.ts';
import { UnfitOrder } from '../users/ordering.ts';
import type { Ordering } from '../users/ordering.ts';
import { orderValueOf } from './order-value.ts';
import type { OrderValue } from './order-value.ts';
import { Refusal } from './refusal.ts';
import { inboxOf } from './user-name.ts';

/** How many users are asked about, or ordered, at once. */
export const mostUsers = 200;

export const orderedValue = z
  .object({
    state: z
      .enum(['ordered', 'held', 'unfit'])
      .meta({ description: 'held: another order of the user is open. unfit: there can be no such user.' }),
    note: z.string(),
  })
  .meta({ id: 'Ordered', description: 'Whether one of many users was ordered, or had been before.' });

export const userStateValue = z
  .object({
    state: z
      .enum(['open', 'done', 'refused', 'cancelled', 'unknown', 'unfit'])
      .meta({ description: 'Of his last order. unknown: there is none (any more). unfit: there can be no such user.' }),
    note: z.string().meta({ description: 'What it waits for, why it failed last, or how it ended.' }),
  })
  .meta({ id: 'UserState', description: 'What became of the last order of a user.' });

export const orderedAnswer = z.object({ users: z.array(orderedValue) });
export const userStatesAnswer = z.object({ users: z.array(userStateValue) });

export type OrderedValue = z.output<typeof orderedValue>;
export type UserStateValue = z.output<typeof userStateValue>;

export interface NewUser {
  user: Bytes;
  wish: Wish & { is: 'create' };
}

/** A user is meant by whatever he is called (user-name.ts). All reject with a Refusal. */
export interface UserOperations {
  /**
   * Orders it, and does not wait for its end; `by` is who says so. The same again changes nothing. Refused as data where
   * there can be no such user, as unsafe while another order of the same user is open, or he is being moved.
   */
  order(user: Bytes, wish: Wish, by: string): Promise<OrderValue>;
  /**
   * Takes an open order back. Refused as unsafe where there is none, or its server may have been told, unless by force: for a
   * server that never comes back.
   */
  cancel(user: Bytes, by: string, force: boolean): Promise<OrderValue>;
  /** Orders new users, at most `mostUsers`, each by itself; what became of each stands in its place. */
  orderAll(users: readonly NewUser[], by: string): Promise<OrderedValue[]>;
  /**
   * What was ordered last, once it is over, or as it is after `within` milliseconds. Refused as missing where nothing is
   * known of it (any more).
   */
  show(user: Bytes, within?: number): Promise<OrderValue>;
  /** What became of many users, at most `mostUsers`, in their order. */
  states(users: readonly Bytes[]): Promise<UserStateValue[]>;
}

type Orders = Pick<Ordering, 'place' | 'read' | 'cancel'>;

/** So often an order is looked at while its end is waited for, in milliseconds. */
const lookEvery = 50;

export function userOperations(ordering: Orders, addresses: RecipientSettings): UserOperations {
  const inbox = (user: Bytes) => inboxOf(user, addresses);
  const newInbox = (user: Bytes) => inDomain(inbox(user), addresses);
  return {
    show: async (user, within = 0) => orderValueOf(await ended(inbox(user), ordering, within)),
    async cancel(user, by, force) {
      const cancelled = await ordering.cancel(inbox(user), bytesFromText(by), { force }).catch((error: unknown) => {
        if (error instanceof UnfitOrder) throw new Refusal('unsafe', error.message, { cause: error });
        return refuseUnfitOrder(error);
      });
      return orderValueOf(cancelled);
    },
    async order(user, wish, by) {
      const name = wish.is === 'create' ? newInbox(user) : inbox(user);
      const meant = wish.is === 'rename' ? { ...wish, to: newInbox(wish.to) } : wish;
      const placed = await ordering.place(name, meant, bytesFromText(by)).catch(refuseUnfitOrder);
      if (placed.is === 'open' && JSON.stringify(placed.order.wish) !== JSON.stringify(meant)) {
        const { wish: other, note } = placed.order;
        throw new Refusal('unsafe', `${readable(name)} has another order open: ${other.is} (${note})`);
      }
      return orderValueOf(await ended(name, ordering, 0));
    },
    orderAll: (users, by) =>
      Promise.all(users.map(({ user, wish }) => fitting(() => orderNew(newInbox(user), wish, by, ordering)))),
    states: (users) => Promise.all(users.map((user) => fitting(() => stateOf(newInbox(user), ordering)))),
  };
}

async function ended(name: Bytes, ordering: Pick<Ordering, 'read'>, within: number): Promise<Order> {
  const until = Date.now() + within;
  for (;;) {
    const order = await ordering.read(name).catch(refuseUnfitOrder);
    if (!order) throw new Refusal('missing', `${readable(name)}: no order is known`);
    if (order.state !== 'open' || Date.now() >= until) return order;
    await pause(lookEvery);
  }
}

/** He may have been ordered before, in the same words. */
async function orderNew(name: Bytes, wish: Wish, by: string, ordering: Orders): Promise<OrderedValue> {
  const placed = await ordering.place(name, wish, bytesFromText(by));
  if (placed.is === 'placed' || JSON.stringify(placed.order.wish) === JSON.stringify(wish))
    return { state: 'ordered', note: 'ordered' };
  // Somebody deletes him, say, or wants him elsewhere: its end is not ours.
  return { state: 'held', note: `another order is open: ${wishText(placed.order.wish)}` };
}

/** `create server=mail1 quota=7`. */
function wishText({ is, ...wanted }: Wish): string {
  return [is, ...Object.entries(wanted).map(([key, value]) => `${key}=${readable(String(value))}`)].join(' ');
}

/** Where domains are no parts of names nobody's mail would go to a user who has one. */
function inDomain(name: Bytes, { virtdomains }: RecipientSettings): Bytes {
  if (virtdomains !== 'off' || !name.includes('!')) return name;
  throw new Refusal('data', `${readable(name)} has a domain, and there are no names with one (virtdomains is off)`);
}

async function stateOf(name: Bytes, ordering: Pick<Ordering, 'read'>): Promise<UserStateValue> {
  try {
    const order = await ordering.read(name);
    if (order) return { state: order.state, note: order.note };
  } catch (error) {
    if (error instanceof UnreadableOrder) return { state: 'refused', note: error.message };
    throw error;
  }
  const unfit = unfitUserName(name);
  return unfit === undefined ? { state: 'unknown', note: 'no order is known' } : { state: 'unfit', note: unfit };
}

/** One of many who is no user keeps nobody else from being asked about. */
async function fitting<T>(treat: () => Promise<T>): Promise<T | { state: 'unfit'; note: string }> {
  try {
    return await treat();
  } catch (error) {
    const isUnfit = error instanceof UnfitOrder || (error instanceof Refusal && error.kind === 'data');
    if (isUnfit) return { state: 'unfit', note: error.message };
    throw error;
  }
}

function refuseUnfitOrder(error: unknown): never {
  if (error instanceof UnfitOrder && error.is === 'busy') throw new Refusal('unsafe', error.message, { cause: error });
  if (error instanceof UnfitOrder || error instanceof UnreadableOrder)
    throw new Refusal('data', error.message, { cause: error });
  throw error;
}
