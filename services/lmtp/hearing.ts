// Whether the client has heard what became of its last message: nobody says so, it has to be seen from what it does next.

/** As much of a message as it takes. */
interface Answered {
  unheard(): void;
}

/**
 * It has when it says something more that it had not sent already, or hangs up properly after our last word. A client whose
 * connection breaks before that, or that had left when the replies came, may not have.
 */
export class Hearing {
  #message: Answered | undefined;
  /** What it says next it had sent before there were replies (MTAs send QUIT together with the final dot). */
  #ahead = false;
  #saidLast = false;
  #broken = false;

  /** The replies go out now. */
  told(message: Answered, { ahead, left }: { ahead: boolean; left: boolean }): void {
    this.#message = message;
    this.#ahead = ahead;
    if (left) this.#give();
  }

  /** The client has said something. */
  command(): void {
    if (!this.#ahead) this.#message = undefined;
  }

  /** All that had come is worked off. */
  caughtUp(): void {
    this.#ahead = false;
  }

  /** Our last word is on its way. */
  saidLast(): void {
    this.#saidLast = true;
  }

  broken(): void {
    this.#broken = true;
  }

  /** The connection is gone; `left`: the client had hung up. */
  over(left: boolean): void {
    if (this.#saidLast && left && !this.#broken) this.#message = undefined;
    this.#give();
  }

  #give(): void {
    this.#message?.unheard();
    this.#message = undefined;
  }
}
