// The model's copies: where each tree has one, and until when that is known.
import type { Copies, Copy } from './copies.ts';
import type { Bytes } from './entry.ts';
import { placeOf } from './tree.ts';

export class MemoryCopies implements Copies {
  readonly #clock: () => number;
  readonly #copies = new Map<Bytes, Copy & { until: number }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Of the tree of a name; undefined where none is known. */
  of(name: Bytes): Copy | undefined {
    const copy = this.#copies.get(placeOf(name).tree);
    return copy && copy.until > this.#clock() ? copy : undefined;
  }

  begin(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, { destination, goesOn: true }, milliseconds);
  }

  made(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    return this.#note(name, { destination, goesOn: false }, milliseconds);
  }

  end(name: Bytes): Promise<void> {
    this.#copies.delete(placeOf(name).tree);
    return Promise.resolve();
  }

  #note(name: Bytes, copy: Copy, milliseconds: number): Promise<void> {
    this.#copies.set(placeOf(name).tree, { ...copy, until: this.#clock() + milliseconds });
    return Promise.resolve();
  }
}
