// Outcomes wait a moment and are told together, when the replies are out: told one by one they cost several times as much.
import type { Outcome } from './outcome.ts';

/** How long the first of them waits, in milliseconds. */
const pause = 20;

export class OutcomeQueue {
  readonly #tell: (outcome: Outcome) => void;
  #waiting: Outcome[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `tell` must not throw. */
  constructor(tell: (outcome: Outcome) => void) {
    this.#tell = tell;
  }

  add(outcome: Outcome): void {
    this.#waiting.push(outcome);
    this.#timer ??= setTimeout(this.flush, pause);
  }

  /** Tells now what waits. */
  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = this.#waiting;
    this.#waiting = [];
    for (const outcome of due) this.#tell(outcome);
  };
}
