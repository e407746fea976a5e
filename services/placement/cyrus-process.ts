// Cyrus' own selection, to compare with: a process reads the figures once and selects by them (partlist.c), whatever others do.
import type { Chance } from './chance.ts';
import type { Selecting } from './policy.ts';
import { landing, weigh } from './selection.ts';
import type { Candidate, Weighing } from './selection.ts';

export class CyrusProcess {
  readonly #rule: Selecting;
  readonly #read: () => readonly Candidate[];
  readonly #chance: Chance;
  readonly #reinit: Reinit;
  #candidates: readonly Candidate[];
  #weighing: Weighing;

  /** Reads the figures at once. Candidates without any have none in total, as those of a server that does not answer. */
  constructor(rule: Selecting, read: () => readonly Candidate[], chance: Chance) {
    this.#rule = rule;
    this.#read = read;
    this.#chance = chance;
    this.#reinit = new Reinit(rule.usageReinit);
    this.#candidates = read();
    this.#weighing = weigh(this.#candidates, rule);
  }

  /** The name of the one selected; undefined when there is none, which counts as a selection all the same. */
  select(): string | undefined {
    const selectable = this.#weighing.each.some(({ out }) => out === undefined);
    if (this.#reinit.due()) {
      this.#candidates = this.#read();
      this.#weighing = weigh(this.#candidates, this.#rule);
    }
    if (!selectable) return undefined;
    const at = landing(
      this.#weighing.each.map(({ share }) => share),
      100 * this.#chance(),
    );
    return at === undefined ? undefined : this.#candidates[at]?.name;
  }
}

/** Counts selections, and says when the figures are to be read anew (`*_select_usage_reinit`). */
export class Reinit {
  readonly #every: number;
  #count = 0;

  /** 0: never. */
  constructor(every: number) {
    this.#every = every;
  }

  /** To be asked before each selection. */
  due(): boolean {
    if (this.#every === 0 || this.#count++ < this.#every) return false;
    this.#count = 1;
    return true;
  }
}
