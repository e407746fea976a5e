// A command's way to the orders of users: opened, asked, closed; and waiting for the end of one.
import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import type { Bytes } from '../directory/entry.ts';
import { UnreadableOrder } from '../users/order-store.ts';
import { UnfitOrder } from '../users/ordering.ts';
import type { Ordering } from '../users/ordering.ts';
import type { Order } from '../users/order.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { OpenOrders, Surroundings } from './surroundings.ts';

/** So often an order is looked at while its end is waited for, in milliseconds. */
const lookEvery = 50;

/** Lets `ask` have the orders. Ends the command with 65 for what can be no order, 69 and 75 where Redis does not answer. */
export async function withOrders<T>(
  config: Config,
  surroundings: Surroundings,
  ask: (ordering: Ordering, decisions: OpenOrders['decisions']) => Promise<T>,
): Promise<T> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const opened = await surroundings.openOrders(config).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `orders cannot be taken: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await ask(opened.ordering, opened.decisions);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof UnfitOrder || error instanceof UnreadableOrder)
      throw new CommandError(exit.data, error.message, { cause: error });
    throw new CommandError(exit.temporary, `the order could not be taken: ${messageOf(error)}`, { cause: error });
  } finally {
    await opened.close();
  }
}

/** The order once it is over, or as it is after so many milliseconds. */
export async function ended(ordering: Ordering, name: Bytes, within: number): Promise<Order | undefined> {
  const until = Date.now() + within;
  for (;;) {
    const order = await ordering.read(name);
    if (order?.state !== 'open' || Date.now() >= until) return order;
    await pause(lookEvery);
  }
}
