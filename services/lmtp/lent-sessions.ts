// The sessions of one pool that messages have: those waited for by an MTA, those that are only listened to, and their end.
import type { Bytes } from '../directory/entry.ts';

/** As much of a session as it takes to cut it off. */
interface Cuttable {
  fail(why: Bytes): unknown;
}

export class LentSessions<Session extends Cuttable, Loan> {
  readonly #all = new Map<Session, Loan>();
  /** Those of them whose reply comes too late for the MTA, the oldest first. */
  readonly #late = new Set<Session>();
  #over = false;
  /** Told when none is left. */
  #free: () => void = () => undefined;

  get loans(): Iterable<Loan> {
    return this.#all.values();
  }

  get late(): number {
    return this.#late.size;
  }

  /** One that comes when all are cut off is cut off, too. */
  add(session: Session, loan: Loan): void {
    this.#all.set(session, loan);
    if (this.#over) session.fail('we are shutting down');
  }

  /** False when it was listened to only. */
  remove(session: Session): boolean {
    this.#all.delete(session);
    const waitedFor = !this.#late.delete(session);
    if (this.#all.size === 0) this.#free();
    return waitedFor;
  }

  /** Listened to only from now on; where `most` are already, the oldest of them is cut off. False when it was already. */
  setAside(session: Session, most: number): boolean {
    if (this.#late.has(session)) return false;
    const [oldest] = this.#late;
    if (oldest !== undefined && this.#late.size >= most) oldest.fail('others are waited for');
    this.#late.add(session);
    return true;
  }

  /** Resolves when none is left; after `graceMs` milliseconds they are cut off. */
  async end(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#cutOff();
    }, graceMs);
    if (graceMs <= 0) this.#cutOff();
    else if (this.#all.size > 0) await new Promise<void>((resolve) => (this.#free = resolve));
    clearTimeout(timer);
    this.#over = true;
  }

  #cutOff(): void {
    this.#over = true;
    for (const session of this.#all.keys()) session.fail('we are shutting down');
  }
}
