// Rows once more after the OK of UPDATE: at once those that a slave's merge can lose, the others little by little.
import type { Bytes, Entry } from '../directory/entry.ts';
import { sortKey } from '../directory/order.ts';
import type { Wire } from './wire.ts';

/** So often is a little sent, in milliseconds. */
const interval = 100;

/**
 * The names that a Cyrus slave may lose (3.6.1). It walks our list and its own side by side, both in Cyrus' order, but
 * tells by the plain order of bytes which of two names is behind the other: what stands behind a name that is plainly
 * greater, as `user.a-b` behind `user.a.b`, it may take for deleted. `known` are all names that either list may have,
 * those among them that are gone.
 */
export function losable(known: Iterable<Bytes>): Set<Bytes> {
  const keyed = Array.from(new Set(known), (name) => ({ name, key: sortKey(name) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  const lost = new Set<Bytes>();
  let greatest = '';
  for (const { name } of keyed) {
    if (name < greatest) lost.add(name);
    else greatest = name;
  }
  return lost;
}

export interface ResendOptions {
  wire: Wire;
  /** Rows that need not be sent at once. */
  rows: readonly Entry[];
  text: (entry: Entry) => Bytes;
  /** Rows a second. */
  rate: number;
}

/** Sends rows so slowly that no change waits behind them at the client; what has changed since needs none of it. */
export class Resend {
  readonly #options: ResendOptions;
  readonly #left: Map<Bytes, Entry>;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ResendOptions) {
    this.#options = options;
    this.#left = new Map(options.rows.map((row) => [row.name, row]));
    this.#timer = setInterval(() => {
      this.#some();
    }, interval);
    if (this.#left.size === 0) this.close();
  }

  /** The client is told of a change of this name: the row that was read before it is out of date. */
  changed(name: Bytes): void {
    this.#left.delete(name);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#left.clear();
  }

  #some(): void {
    const { wire, text, rate } = this.#options;
    if (wire.full) return;
    const some = [...this.#left.values()].slice(0, Math.ceil((rate * interval) / 1000));
    wire.write(some.map(text).join(''));
    for (const { name } of some) this.#left.delete(name);
    if (this.#left.size === 0) this.close();
  }
}
