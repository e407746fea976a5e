// Faults at random: one begins every now and then, several last at the same time, none on a target that has one already.
import { setTimeout as sleep } from 'node:timers/promises';
import { seededChance, type Chance } from '../../services/placement/chance.ts';
import type { Fault } from './mail-audit.ts';

/** Something that can be done to a target, and undone. */
export interface Trouble {
  target: string;
  kind: string;
  /** How often, compared with the others. */
  weight: number;
  /** How long it may last, in milliseconds. */
  longest: number;
  begin: () => Promise<void> | void;
  end: () => Promise<void> | void;
}

const longestPause = 900;

export class Chaos {
  /** All of them, in the order in which they began. */
  readonly faults: Fault[] = [];
  readonly #troubles: readonly Trouble[];
  readonly #chance: Chance;
  readonly #atOnce: number;
  readonly #busy = new Map<string, Promise<void>>();

  constructor(troubles: readonly Trouble[], seed: number, atOnce: number) {
    this.#troubles = troubles;
    this.#chance = seededChance(seed);
    this.#atOnce = atOnce;
  }

  /** Goes on for so many milliseconds; resolves when all is well again. Rejects when something could not be undone. */
  async reign(ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (Date.now() < end) {
      await sleep(this.#chance() * longestPause);
      const trouble = this.#choose();
      if (trouble) this.#let(trouble);
    }
    await Promise.all(this.#busy.values());
  }

  #choose(): Trouble | undefined {
    if (this.#busy.size >= this.#atOnce) return undefined;
    const free = this.#troubles.filter(({ target }) => !this.#busy.has(target));
    let lot = this.#chance() * free.reduce((sum, { weight }) => sum + weight, 0);
    return free.find(({ weight }) => (lot -= weight) < 0);
  }

  #let({ target, kind, longest, begin, end }: Trouble): void {
    const fault: Fault = { target, kind, from: Date.now(), to: Infinity };
    this.faults.push(fault);
    const lasting = longest * this.#chance();
    const course = async (): Promise<void> => {
      await begin();
      await sleep(lasting);
      await end();
      fault.to = Date.now();
    };
    const over = course();
    this.#busy.set(target, over);
    // Where it fails, its target stays busy, and `reign` says so.
    over.then(
      () => this.#busy.delete(target),
      () => undefined,
    );
  }
}
