// Taking an order: whose it may be, kept before it is rung for, so that a ring that is lost loses nothing.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { isUser, unfitUserName } from '../address/user-name.ts';
import { highestQuota } from '../backends/imap-quota.ts';
import type { Directory } from '../directory/directory.ts';
import { isGrave } from '../directory/entry.ts';
import type { Move } from '../moves/move.ts';
import { movingText } from '../moves/open-move.ts';
import type { Order, Wish } from './order.ts';
import type { OrderStore, Placed } from './order-store.ts';

/** A name, or a wish, that no order can be about, or (`busy`) not now; the message says why. */
export class UnfitOrder extends Error {
  override readonly name = 'UnfitOrder';
  readonly is: 'unfit' | 'busy';

  constructor(message: string, is: 'unfit' | 'busy' = 'unfit') {
    super(message);
    this.is = is;
  }
}

export interface OrderingOptions {
  orders: Pick<OrderStore, 'place' | 'read' | 'replace'>;
  /** Has a worker look at the order of a user. */
  ring: (name: Bytes) => void;
  /** Where the row is seen that a deletion or a rename is meant for. Left out: only new users are ordered here. */
  directory?: Pick<Directory, 'lookup'>;
  /** Whether a backend says that it has no such mailbox. Left out: nobody can be asked. */
  lacks?: (server: Bytes, name: Bytes) => Promise<boolean>;
  /** The open move of a user, who is neither deleted nor renamed then. Left out: nobody knows of any. */
  moving?: (name: Bytes) => Promise<Pick<Move, 'from' | 'to' | 'run'> | undefined>;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

export class Ordering {
  readonly #options: Required<OrderingOptions>;

  constructor(options: OrderingOptions) {
    const lookup = () => Promise.reject(new Error('there is no directory here'));
    const standard = { lacks: () => Promise.resolve(false), moving: () => Promise.resolve(undefined) };
    this.#options = { clock: Date.now, directory: { lookup }, ...standard, ...options };
  }

  /** Keeps the order and rings for it. Rejects with UnfitOrder, or when Redis, or the directory, does not answer. */
  async place(name: Bytes, wish: Wish, by: Bytes): Promise<Placed> {
    const unfit = unfitOrder(name, wish);
    if (unfit !== undefined) throw new UnfitOrder(unfit);
    if (wish.is !== 'create') await this.#refuseMoving(name);
    const order = { name, wish, by, since: this.#options.clock(), state: 'open', begun: false, made: false } as const;
    const version = wish.is === 'create' ? {} : { version: await this.#versionOf(name) };
    const placed = await this.#options.orders.place({ ...order, ...version, passed: [], note: 'ordered' });
    // Also for what was ordered before: its ring may have been lost.
    this.#options.ring(name);
    return placed;
  }

  /**
   * Takes an open order back: before any server was told, or a creation of which its server says that it has nothing. Rejects
   * with UnfitOrder where there is none, or it cannot be any more. What its server does at this very moment may still come: a
   * worker looks at what had begun once more, and opens it again where the user is there. `force`: whatever its server may have
   * been told, for it is gone for good; nobody looks any more.
   */
  async cancel(name: Bytes, by: Bytes, { force = false } = {}): Promise<Order> {
    for (;;) {
      const kept = await this.#options.orders.read(name);
      if (kept?.order.state !== 'open') throw new UnfitOrder(`${readable(name)} has no open order`);
      const { place, ...order } = kept.order;
      const server = readable(place?.server ?? '');
      if (order.begun && !force && !(await this.#isUntouched(kept.order))) {
        throw new UnfitOrder(
          `${readable(name)}: ${server} may have been told, and does not say that it has nothing of it`,
        );
      }
      const told = order.begun && force ? `, though ${server} may have been told` : '';
      const left = order.begun && !force && place ? { begun: true, place } : { begun: false };
      const note = `cancelled by ${readable(by)}${told}`;
      const cancelled = { ...order, ...left, state: 'cancelled', note } as const;
      if (!(await this.#options.orders.replace(kept, cancelled))) continue;
      // What was promised to it is given back.
      this.#options.ring(name);
      return cancelled;
    }
  }

  /** Both would tell servers of him at the same time. What was ordered before waits for the move's end (order.ts). */
  async #refuseMoving(name: Bytes): Promise<void> {
    const move = await this.#options.moving(name);
    if (!move) return;
    const kept = await this.#options.orders.read(name).catch(() => undefined);
    if (kept?.order.state === 'open') return;
    const cancel = move.run === undefined ? '' : `, or cancel the run (rookery move cancel ${move.run})`;
    const hint = `order it when that is over${cancel}`;
    throw new UnfitOrder(`${readable(name)}: ${movingText(move)}; ${hint}`, 'busy');
  }

  async #isUntouched({ name, wish, place }: Order): Promise<boolean> {
    return wish.is === 'create' && place !== undefined && this.#options.lacks(place.server, name);
  }

  async #versionOf(name: Bytes): Promise<number> {
    const { entries } = await this.#options.directory.lookup([name]);
    const row = entries[0];
    return row && !isGrave(row) ? row.version : 0;
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
