// One message to all of its backends at the same time; the slowest sets the pace, for a bounded time.
import { Branch, type BranchOptions } from './branch.ts';

export class FanOut {
  readonly #branches: readonly Branch[];

  /** Begins with all backends at once. */
  constructor(branches: readonly BranchOptions[]) {
    this.#branches = branches.map((options) => new Branch(options));
  }

  get branches(): readonly Branch[] {
    return this.#branches;
  }

  /** See MessageSink. */
  write(chunk: Buffer): Promise<void> | undefined {
    let wait: Promise<void> | undefined;
    for (const branch of this.#branches) {
      const one = branch.write(chunk);
      if (one !== undefined) wait = wait === undefined ? one : bothOf(wait, one);
    }
    return wait;
  }

  /** Resolves when every recipient has its reply; never rejects. */
  async end(last: Buffer | undefined): Promise<void> {
    for (const branch of this.#branches) branch.end(last);
    await Promise.all(this.#branches.map((branch) => branch.done));
  }

  abort(): void {
    for (const branch of this.#branches) branch.abort();
  }
}

async function bothOf(one: Promise<void>, other: Promise<void>): Promise<void> {
  await one;
  await other;
}
