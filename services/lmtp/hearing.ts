// Whether the client has heard what became of its last message: nobody says so, it has to be seen from what it does next.

/** As much of a message as it takes. */
interface Answered {
  unheard(): void;
}

/**
 * It has when it says something more that it had not sent already, or hangs up properly after our last word. A client whose
 * connection breaks before that, or that had left when the replies came, may not have; nor one that is told to go together
 * with its replies, for how it hangs up then says nothing.
 */
export class Hearing {
  #message: Answered | undefined;
  /** What it says next it had sent before there were replies (MTAs send QUIT together with the final dot). */
  #ahead = false;
  /** It has had no turn since its replies. */
  #fresh = false;
  #saidLast = false;
  #broken = false;

  /** The replies go out now. */
  told(message: Answered, { ahead, left }: { ahead: boolean; left: boolean }): void {
    this.#message = message;
    this.#ahead = ahead;
    this.#fresh = true;
    if (left) this.#give();
  }

  /** The client has said something. */
  command(): void {
    this.#fresh = false;
    if (!this.#ahead) this.#message = undefined;
  }

  /** All that had come is worked off. */
  caughtUp(): void {
    this.#ahead = false;
    this.#fresh = false;
  }

  /** Our last word is on its way. */
  saidLast(): void {
    this.#saidLast = !this.#fresh;
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
