// The leases of the model: one a tree, for a time.
import type { Lease } from './directory.ts';
import type { Bytes } from './entry.ts';
import { placeOf } from './tree.ts';

export class MemoryLeases {
  readonly #clock: () => number;
  readonly #told: (tree: Bytes) => void;
  readonly #leases = new Map<Bytes, Lease & { until: number }>();

  /** `told` of each lease that is taken or given back, by its tree. */
  constructor(clock: () => number, told: (tree: Bytes) => void) {
    this.#clock = clock;
    this.#told = told;
  }

  /** The lease on a name's tree; undefined when nobody holds one. */
  on(name: Bytes): Lease | undefined {
    const lease = this.#leases.get(placeOf(name).tree);
    return lease && lease.until > this.#clock() ? { destination: lease.destination, token: lease.token } : undefined;
  }

  take(name: Bytes, lease: Lease, milliseconds: number): boolean {
    const held = this.on(name);
    if (held && held.token !== lease.token) return false;
    const { tree } = placeOf(name);
    this.#leases.set(tree, { ...lease, until: this.#clock() + milliseconds });
    if (!held) this.#told(tree);
    return true;
  }

  release(name: Bytes, token: string): void {
    if (this.on(name)?.token !== token) return;
    const { tree } = placeOf(name);
    this.#leases.delete(tree);
    this.#told(tree);
  }
}
