// What a session leaves pending in the directory, and how that is settled: when it names its server, and when it ends.
import type { Answer, Ending, Settlement, Write } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Service } from './service.ts';

export class Leavings {
  readonly #service: Service;
  readonly #peer: { session: string; user?: string };
  /** Whether the directory must be told of the session's end: rows wait for it. */
  #pending = false;
  /** A write was left without an answer, and may yet be carried out, or was taken back: all that was deleted is put back. */
  #unanswered = false;
  /** What the session has handed over (DEACTIVATE), in an XFER that may go on for hours. */
  readonly #handed = new Set<Bytes>();

  constructor(service: Service, peer: { session: string; user?: string }) {
    this.#service = service;
    this.#peer = peer;
  }

  /** A write was answered so; undefined when it was not answered at all. */
  wrote(outcome: Answer | undefined, write?: Write): void {
    if (write?.verb === 'DEACTIVATE' && outcome?.ok === true) this.#handed.add(write.name);
    if (outcome && outcome.undone !== true) this.#pending ||= outcome.pending;
    else this.#pending = this.#unanswered = true;
  }

  /**
   * The session speaks for this server from now on. Resolves to why its command is to be refused, where it has deleted
   * what is another server's; what it deleted is put back then.
   */
  async bind(server: Bytes): Promise<string | undefined> {
    const { directory, log } = this.#service;
    log.debug({ ...this.#peer, server }, 'mupdate: speaks for the first server it named');
    if (!this.#pending) return undefined;
    try {
      const { restored } = this.#told(await directory.bind(this.#peer.session, server), 'bind');
      return restored.length > 0 ? 'has deleted mailboxes of another server: they are put back' : undefined;
    } catch (error) {
      log.warn({ ...this.#peer, err: error }, 'mupdate: directory unavailable');
      // Whose it deleted is not known: all of it is put back in the end.
      this.#unanswered = true;
      return 'directory unavailable';
    }
  }

  /** Whether something that the session has handed over is handed still, or nobody can say. */
  async isHanding(): Promise<boolean> {
    const names = [...this.#handed];
    if (names.length === 0) return false;
    try {
      const { entries } = await this.#service.directory.lookup(names);
      const isHanded = (at: number) => entries[at]?.state === 'handed' && entries[at].session === this.#peer.session;
      for (const [at, name] of names.entries()) if (!isHanded(at)) this.#handed.delete(name);
      return this.#handed.size > 0;
    } catch {
      return true;
    }
  }

  /** The session has ended so, or its writing has; told once. If the directory is away, its next sweep finds it gone. */
  async settle(how: Ending): Promise<void> {
    if (!this.#pending) return;
    // A session goes on after a refusal.
    this.#pending = how === 'refused';
    const { directory, log } = this.#service;
    const ending = this.#unanswered ? 'cut' : how;
    try {
      this.#told(await directory.end(this.#peer.session, ending, this.#peer.user), ending);
    } catch (error) {
      log.warn({ ...this.#peer, err: error }, 'mupdate: directory unavailable');
    }
  }

  #told(settlement: Settlement, how: Ending | 'bind'): Settlement {
    const { restored, rung } = settlement;
    if (restored.length > 0) {
      this.#service.log.warn({ ...this.#peer, how, mailboxes: restored }, 'mupdate: deletions are put back');
    }
    for (const name of rung) this.#service.onRing?.({ reason: `left behind by a session: ${how}`, name });
    return settlement;
  }
}
