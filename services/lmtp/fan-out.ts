// One message to all of its backends at the same time: at the pace of the slowest for a while, and then without it.
import { Branch, type BranchOptions } from './branch.ts';
import type { MemoryLimit } from './memory-limit.ts';
import { spoolFull } from './reply-codes.ts';
import type { BackendSettings } from './settings.ts';
import type { Spool, SpoolFile } from './spool.ts';

export interface FanOutOptions {
  settings: BackendSettings;
  memory: MemoryLimit;
  spool: Spool;
}

export class FanOut {
  readonly #branches: readonly Branch[];
  readonly #options: FanOutOptions;
  /** Those that have not kept up, and read what they missed from the file. */
  readonly #behind = new Set<Branch>();
  #file: SpoolFile | undefined;
  #deadline: NodeJS.Timeout | undefined;

  /** Begins with all backends at once. */
  constructor(branches: readonly BranchOptions[], options: FanOutOptions) {
    this.#options = options;
    this.#branches = branches.map((each) => new Branch(each));
  }

  get branches(): readonly Branch[] {
    return this.#branches;
  }

  /** See MessageSink. */
  write(chunk: Buffer): Promise<void> | undefined {
    const [only] = this.#branches;
    let wait: Promise<void> | undefined;
    if (this.#branches.length === 1 && only?.isHeld === false) wait = only.outlet.write(chunk);
    else wait = this.#writeToAll(chunk);
    return this.#options.memory.isReached ? bothOf(wait, this.#options.memory.untilRoom()) : wait;
  }

  #writeToAll(chunk: Buffer): Promise<void> | undefined {
    let wait: Promise<void> | undefined;
    for (const branch of this.#branches) {
      const one = branch.outlet.write(chunk);
      if (one !== undefined) wait = bothOf(wait, one);
    }
    if (wait === undefined && this.#behind.size === 0) return undefined;
    return this.#keepPace(chunk, wait);
  }

  /** Waits for the slowest, but not for ever while others could go on. */
  async #keepPace(chunk: Buffer, wait: Promise<void> | undefined): Promise<void> {
    await this.#append(chunk);
    // Only now: whoever falls behind has this chunk already, and reads on behind it.
    this.#leaveBehind((branch) => branch.isHeld);
    const timer = setInterval(() => {
      if (this.#someoneWaits) this.#leaveBehind(() => true);
    }, this.#options.settings.spool_after);
    await wait;
    clearInterval(timer);
  }

  /** Whether a backend could go on that keeps pace. */
  get #someoneWaits(): boolean {
    return this.#branches.some((branch) => branch.outlet.isLive && !branch.outlet.isFull && !this.#behind.has(branch));
  }

  #leaveBehind(which: (branch: Branch) => boolean): void {
    for (const branch of this.#branches) {
      if (!branch.outlet.isFull || !which(branch)) continue;
      this.#file ??= this.#options.spool.file();
      this.#behind.add(branch);
      branch.outlet.overflowTo(this.#file);
    }
  }

  /** Writes for those behind; where that can't be done they go no further. */
  async #append(chunk: Buffer): Promise<void> {
    for (const branch of this.#behind) if (!branch.outlet.isLive) this.#behind.delete(branch);
    if (this.#behind.size === 0 || this.#file === undefined) return;
    try {
      await this.#file.append(chunk);
      for (const branch of this.#behind) branch.outlet.grown();
    } catch {
      for (const branch of this.#behind) branch.giveUp(spoolFull);
    }
  }

  /** Resolves when every recipient has its reply; never rejects. */
  async end(last: Buffer | undefined): Promise<void> {
    const { transaction_timeout } = this.#options.settings;
    this.#deadline = setTimeout(() => {
      for (const branch of this.#branches) branch.overdue('no answer in time for the MTA');
    }, transaction_timeout);
    for (const branch of this.#branches) if (!this.#behind.has(branch)) branch.outlet.end(last);
    if (this.#behind.size > 0) await this.#endBehind(last);
    await Promise.all(this.#branches.map((branch) => branch.done));
    this.#close();
  }

  async #endBehind(last: Buffer | undefined): Promise<void> {
    const behind = [...this.#behind];
    if (last !== undefined) await this.#append(last);
    for (const branch of behind) branch.outlet.end(undefined);
  }

  abort(): void {
    for (const branch of this.#branches) branch.abort();
    this.#close();
  }

  #close(): void {
    clearTimeout(this.#deadline);
    void this.#file?.close();
  }
}

async function bothOf(one: Promise<void> | undefined, other: Promise<void>): Promise<void> {
  await one;
  await other;
}
