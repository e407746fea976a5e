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
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  /** What has changed since the rows were read. */
  readonly #changed = new Set<Bytes>();
  #over = false;

  constructor(options: ResendOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#some();
    }, interval);
    if (options.rows.length === 0) this.close();
  }

  /** The client is told of a change of this name: the row that was read before it is out of date. */
  changed(name: Bytes): void {
    if (!this.#over) this.#changed.add(name);
  }

  close(): void {
    this.#over = true;
    clearInterval(this.#timer);
    this.#changed.clear();
  }

  #some(): void {
    const { wire, text, rate, rows } = this.#options;
    if (wire.full) return;
    const end = this.#next + Math.ceil((rate * interval) / 1000);
    const some = rows.slice(this.#next, end).filter(({ name }) => !this.#changed.has(name));
    wire.write(some.map(text).join(''));
    this.#next = end;
    if (end >= rows.length) this.close();
  }
}
