// The addresses of one backend: in which order they are tried, by what became of them lately. Time comes as an argument.
import type { Address } from '../backends/registry.ts';

export class BackendPlaces {
  readonly #addresses: readonly Address[];
  readonly #pause: number;
  /** Until when an address is tried last, by its place in the list. */
  readonly #shunned: number[];

  /** `pause`: how long an address is tried last after it failed, in milliseconds. */
  constructor(addresses: readonly Address[], pause: number) {
    this.#addresses = addresses;
    this.#pause = pause;
    this.#shunned = addresses.map(() => 0);
  }

  /** The places of all addresses, those that failed lately last; among equals in the order of the configuration. */
  order(now: number): number[] {
    const late = (place: number) => ((this.#shunned[place] ?? 0) > now ? 1 : 0);
    return [...this.#addresses.keys()].sort((a, b) => late(a) - late(b) || a - b);
  }

  /** Whether one that stands before this one is known to answer: then nobody should stay here. */
  isBeaten(place: number): boolean {
    return this.#shunned.slice(0, place).includes(0);
  }

  /** Whether one that stands before this one is to be tried again. */
  isRetryDue(place: number, now: number): boolean {
    return (this.order(now)[0] ?? place) < place;
  }

  at(place: number): Address {
    return this.#addresses[place] as Address;
  }

  failed(place: number, now: number): void {
    this.#shunned[place] = now + this.#pause;
  }

  succeeded(place: number): void {
    this.#shunned[place] = 0;
  }
}
