// The leases of the model: one a tree, for a time.
import type { Lease } from './directory.ts';
import type { Bytes } from './entry.ts';
import { placeOf } from './tree.ts';

export class MemoryLeases {
  readonly #clock: () => number;
  readonly #leases = new Map<Bytes, Lease & { until: number }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The lease on a name's tree; undefined when nobody holds one. */
  on(name: Bytes): Lease | undefined {
    const lease = this.#leases.get(placeOf(name).tree);
    return lease && lease.until > this.#clock() ? { destination: lease.destination, token: lease.token } : undefined;
  }

  take(name: Bytes, lease: Lease, milliseconds: number): boolean {
    const held = this.on(name);
    if (held && held.token !== lease.token) return false;
    this.#leases.set(placeOf(name).tree, { ...lease, until: this.#clock() + milliseconds });
    return true;
  }

  release(name: Bytes, token: string): void {
    if (this.on(name)?.token === token) this.#leases.delete(placeOf(name).tree);
  }
}
