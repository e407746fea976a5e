// The breaker of one backend: when it is not worth a try any more, and when it is asked again. Time comes as an argument.

/** `closed`: all is well. `open`: it is away, and nobody tries. `half-open`: one probe is under way. */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerSettings {
  /** So many failures in a row open it. */
  failures: number;
  /** From opening to the first probe, and from one probe to the next, in milliseconds. */
  pause: number;
}

export class Breaker {
  readonly #settings: BreakerSettings;
  #state: BreakerState = 'closed';
  #failures = 0;
  #probeAt = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** When the next probe is due, in the time that `failed` was told; meaningless unless open. */
  get probeAt(): number {
    return this.#probeAt;
  }

  /** A probe begins: true for one caller, once it is due. */
  probes(now: number): boolean {
    if (this.#state !== 'open' || now < this.#probeAt) return false;
    this.#state = 'half-open';
    return true;
  }

  succeeded(): void {
    this.#state = 'closed';
    this.#failures = 0;
  }

  /** An attempt failed; returns whether the breaker is open now. */
  failed(now: number): boolean {
    this.#failures++;
    if (this.#state === 'closed' && this.#failures < this.#settings.failures) return false;
    // Attempts that had begun before it opened do not put the probe off.
    if (this.#state !== 'open') this.#probeAt = now + this.#settings.pause;
    this.#state = 'open';
    return true;
  }
}
