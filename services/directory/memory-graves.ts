// What was deleted a short while ago, in the reference model: tombstones of sessions that have ended, until their grace is over.
import type { Bytes, Entry } from './entry.ts';
import type { Times } from './rules.ts';
import { isGone } from './settling.ts';

export class MemoryGraves {
  readonly #times: Times;
  readonly #graves = new Map<Bytes, Entry>();

  constructor(times: Times) {
    this.#times = times;
  }

  bury({ unbound, ...entry }: Entry, now: number): void {
    this.#graves.set(entry.name, { ...entry, ended: now });
  }

  names(now: number): Bytes[] {
    return [...this.#graves.keys()].filter((name) => this.at(name, now) !== undefined);
  }

  at(name: Bytes, now: number): Entry | undefined {
    const grave = this.#graves.get(name);
    return grave && isGone(grave, this.#times, now) ? undefined : grave;
  }
}
