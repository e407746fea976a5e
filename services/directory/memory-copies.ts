// The model's copies: where each tree has one, and until when that is known.
import { copiedAs } from './copies.ts';
import type { Copies, Copy } from './copies.ts';
import type { Bytes } from './entry.ts';

export class MemoryCopies implements Copies {
  readonly #clock: () => number;
  readonly #copies = new Map<Bytes, { destination: Bytes; until: number; goesOnUntil: number }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Of the tree of a name; undefined where none is known. */
  of(name: Bytes): Copy | undefined {
    const copy = this.#copies.get(copiedAs(name));
    const now = this.#clock();
    if (!copy || copy.until <= now) return undefined;
    return { destination: copy.destination, goesOn: copy.goesOnUntil > now };
  }

  known(name: Bytes): Promise<Copy | undefined> {
    return Promise.resolve(this.of(name));
  }

  begin(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    const until = this.#clock() + milliseconds;
    this.#copies.set(copiedAs(name), { destination, until, goesOnUntil: until });
    return Promise.resolve();
  }

  made(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    const until = this.#clock() + milliseconds;
    this.#copies.set(copiedAs(name), { destination, until, goesOnUntil: 0 });
    return Promise.resolve();
  }

  keep(name: Bytes, destination: Bytes, milliseconds: number): Promise<void> {
    const tree = copiedAs(name);
    const known = this.of(name) && this.#copies.get(tree);
    if (known && known.destination !== destination) return Promise.resolve();
    const until = Math.max(known?.until ?? 0, this.#clock() + milliseconds);
    this.#copies.set(tree, { destination, until, goesOnUntil: known?.goesOnUntil ?? 0 });
    return Promise.resolve();
  }

  end(name: Bytes, destination?: Bytes): Promise<void> {
    const tree = copiedAs(name);
    const copy = this.#copies.get(tree);
    const isMade = copy?.destination === destination && (copy?.goesOnUntil ?? 0) <= this.#clock();
    if (destination === undefined || isMade) this.#copies.delete(tree);
    return Promise.resolve();
  }
}
