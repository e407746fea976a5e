// One slot per RCPT occurrence, in order: whatever happens, each gets exactly one reply (RFC 2033 section 4.2).
import type { Reply } from './reply.ts';

export class Delivery<Recipient> {
  readonly #recipients: Recipient[] = [];
  readonly #replies: (Reply | undefined)[] = [];
  #open = 0;

  /** A new slot, for a RCPT that was accepted; the same address twice makes two. Returns the slot's number. */
  add(recipient: Recipient): number {
    this.#open++;
    this.#replies.push(undefined);
    return this.#recipients.push(recipient) - 1;
  }

  get recipients(): readonly Recipient[] {
    return this.#recipients;
  }

  /** How many slots have no reply yet. */
  get open(): number {
    return this.#open;
  }

  /** Whether a slot has no reply yet. */
  isOpen(slot: number): boolean {
    return slot < this.#replies.length && this.#replies[slot] === undefined;
  }

  /** Gives a slot its reply. The first one stays: false when the slot had one already, or there is no such slot. */
  settle(slot: number, reply: Reply): boolean {
    if (slot < 0 || slot >= this.#replies.length || this.#replies[slot] !== undefined) return false;
    this.#replies[slot] = reply;
    this.#open--;
    return true;
  }

  /** Gives every slot of those named (or of all) that has none yet the same reply; returns the slots that took it. */
  fillRemaining(reply: Reply, slots: Iterable<number> = this.#replies.keys()): number[] {
    return Array.from(slots).filter((slot) => this.settle(slot, reply));
  }

  /** One reply per slot, in the order of the RCPTs; those still open are filled with `fallback`. */
  replies(fallback: Reply): Reply[] {
    return this.#replies.map((settled) => settled ?? fallback);
  }
}
