// How much this process holds of all messages under way: above the limit nobody fails, but MTAs are read no further.

export class MemoryLimit {
  readonly #limit: number;
  #held = 0;
  #room: Promise<void> | undefined;
  #makeRoom: () => void = () => undefined;

  /** In bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  get isReached(): boolean {
    return this.#held > this.#limit;
  }

  /** So many bytes more are held, or less. */
  change(bytes: number): void {
    this.#held += bytes;
    if (this.#room === undefined || this.#held > this.#limit) return;
    this.#room = undefined;
    this.#makeRoom();
  }

  /** Resolves when less is held than the limit; never rejects. Whatever is held is given up in time by whoever holds it. */
  untilRoom(): Promise<void> {
    return (this.#room ??= new Promise((resolve) => (this.#makeRoom = resolve)));
  }
}
