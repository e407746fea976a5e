// The lease on a tree, kept by one worker while it moves it: renewed in the background, heard of by everybody, given back.
import { setTimeout as pause } from 'node:timers/promises';
import type { Directory, Position } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { RoutingLeases } from '../directory/routing-lease.ts';

/** The lease was not renewed in time, or is another's: whoever had it must look anew before he does anything. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
  readonly kind = 'busy';
}

export interface LeaseKeeperOptions {
  directory: Pick<Directory, 'lease' | 'release' | 'head'>;
  routing: Pick<RoutingLeases, 'held'>;
  /** The root mailbox of the tree. */
  name: Bytes;
  /** The server that it goes to. */
  destination: Bytes;
  /** Never used for another lease. */
  token: string;
  /** How long it lasts without renewal, in milliseconds. */
  milliseconds: number;
  /** In milliseconds, from whenever; it goes on while the process stands still. */
  clock?: () => number;
}

/** How many renewals may be lost before the lease ends, and one. */
const renewals = 4;

/** How often readers are looked at, in milliseconds: soon at first, for most hear of it at once. */
const hearFirst = 2;
const hearEvery = 20;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #clock: () => number;
  readonly #lost = new AbortController();
  #until = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<boolean> | undefined;
  #heard = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  get token(): string {
    return this.#options.token;
  }

  /** Whether the lease holds, without a gap since it was taken. */
  get holds(): boolean {
    if (this.#clock() >= this.#until) this.#lose();
    return !this.#lost.signal.aborted;
  }

  /** Whether nobody goes by what he remembers from before. */
  get heard(): boolean {
    return this.#heard && this.holds;
  }

  /** Aborts, with LeaseLost, when the lease is lost. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** False where another has it. Once, for a keeper. Rejects when the directory can't be asked. */
  async take(): Promise<boolean> {
    const asked = this.#clock();
    const { directory, name, milliseconds } = this.#options;
    if (!(await directory.lease(name, this.#lease, milliseconds))) return false;
    this.#until = asked + milliseconds;
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    }, milliseconds / renewals);
    return true;
  }

  /**
   * Resolves when every reader has seen the change that the lease was, or holds no routing lease any more. Rejects with
   * LeaseLost, with the signal's reason, or when the directory can't be asked.
   */
  async everybodyHears(signal: AbortSignal): Promise<void> {
    const { directory, routing } = this.#options;
    // The end of the log now: the lease is before it.
    const taken = await directory.head();
    const either = AbortSignal.any([signal, this.#lost.signal]);
    let wait = hearFirst;
    while (!(await routing.held()).every(({ seen }) => hasSeen(seen, taken))) {
      wait = Math.min(2 * wait, hearEvery);
      await pause(wait, undefined, { signal: either }).catch(() => {
        throw either.reason;
      });
    }
    this.#heard = true;
  }

  /**
   * Resolves when the lease has just been renewed: what is begun now is begun under it. Rejects with LeaseLost where it was
   * lost, or the directory can't say that it is not.
   */
  async confirm(): Promise<void> {
    await this.#renewing;
    const isRenewed = this.holds && (await this.#renew());
    this.#lost.signal.throwIfAborted();
    if (!isRenewed) throw new LeaseLost('the lease on the tree could not be renewed');
  }

  /** Gives it back, if it is held; who can't say so lets it end. Never rejects. */
  async giveBack(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    if (this.#until === -Infinity) return;
    this.#lose();
    const { directory, name, token } = this.#options;
    await directory.release(name, token).catch(() => undefined);
  }

  get #lease() {
    return { destination: this.#options.destination, token: this.#options.token };
  }

  /** Whether it is. A renewal that may have come after the end is a new lease: what was seen before proves nothing. Never rejects. */
  async #renew(): Promise<boolean> {
    const { directory, name, milliseconds } = this.#options;
    const asked = this.#clock();
    if (!this.holds) return false;
    const isOurs = await directory.lease(name, this.#lease, milliseconds).catch(() => undefined);
    if (isOurs === false || this.#clock() >= this.#until) this.#lose();
    else if (isOurs) this.#until = asked + milliseconds;
    return isOurs === true && this.holds;
  }

  #lose(): void {
    clearInterval(this.#timer);
    if (!this.#lost.signal.aborted) this.#lost.abort(new LeaseLost('the lease on the tree was lost'));
  }
}

function hasSeen(seen: readonly number[], taken: Position): boolean {
  return taken.every(({ seq }, shard) => (seen[shard] ?? 0) >= seq);
}
