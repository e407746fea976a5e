// The model's copies under way: when each tree's ends by itself.
import type { Copies } from './copies.ts';
import type { Bytes } from './entry.ts';
import { placeOf } from './tree.ts';

export class MemoryCopies implements Copies {
  readonly #clock: () => number;
  readonly #ends = new Map<Bytes, number>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  isUnderWay(name: Bytes): boolean {
    return (this.#ends.get(placeOf(name).tree) ?? 0) > this.#clock();
  }

  begin(name: Bytes, milliseconds: number): Promise<void> {
    this.#ends.set(placeOf(name).tree, this.#clock() + milliseconds);
    return Promise.resolve();
  }

  end(name: Bytes): Promise<void> {
    this.#ends.delete(placeOf(name).tree);
    return Promise.resolve();
  }
}
