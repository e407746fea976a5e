// Connections to the backends as their administrator: one for each, made when it is needed, kept for a while.
import { ImapAdmin } from './imap-admin.ts';
import { ImapFailure } from './imap-failure.ts';
import type { Registry } from './registry.ts';

/** How long a connection that nobody uses is kept, in milliseconds: names come in flocks. */
const idleAfter = 10_000;

interface Kept {
  admin: Promise<ImapAdmin>;
  timer: NodeJS.Timeout | undefined;
  users: number;
}

export class ImapAdmins {
  readonly #registry: Registry;
  readonly #timeout: number;
  readonly #kept = new Map<string, Kept>();

  /** `timeout` in milliseconds: for a login, and for each question. */
  constructor(registry: Registry, timeout: number) {
    this.#registry = registry;
    this.#timeout = timeout;
  }

  /**
   * Asks a backend. Rejects with an ImapFailure when it is not known, has no `imap` in the configuration, says no, or does
   * not answer clearly; after that the next question is asked on a new connection.
   */
  async ask<Answer>(server: string, question: (admin: ImapAdmin) => Promise<Answer>): Promise<Answer> {
    const kept = this.#connection(server);
    kept.users += 1;
    clearTimeout(kept.timer);
    try {
      return await question(await kept.admin);
    } catch (error) {
      // A clear no leaves the connection good, and others may be in the middle of something on it.
      if (!(error instanceof ImapFailure) || error.kind === 'away') this.#drop(server, kept);
      throw error;
    } finally {
      kept.users -= 1;
      if (kept.users === 0) {
        kept.timer = setTimeout(() => {
          this.#drop(server, kept);
        }, idleAfter).unref();
      }
    }
  }

  /** Closes them all. */
  async close(): Promise<void> {
    const all = [...this.#kept];
    for (const [server, kept] of all) this.#drop(server, kept);
    await Promise.all(all.map(([, { admin }]) => admin.then((one) => one.close()).catch(() => undefined)));
  }

  #connection(server: string): Kept {
    const known = this.#kept.get(server);
    if (known) return known;
    const backend = this.#registry.find(server);
    // Others may have it: the configuration of this process is behind, or ahead.
    if (!backend) throw new ImapFailure(`${server} is no backend in the configuration of this process`, 'away');
    const access = backend.imap;
    if (!access) throw new ImapFailure(`${server} has no imap in the configuration`, 'refused');
    const kept = { admin: ImapAdmin.connect(access, { timeout: this.#timeout, server }), timer: undefined, users: 0 };
    // Whoever asks hears of it.
    kept.admin.catch(() => undefined);
    this.#kept.set(server, kept);
    return kept;
  }

  #drop(server: string, kept: Kept): void {
    clearTimeout(kept.timer);
    if (this.#kept.get(server) === kept) this.#kept.delete(server);
    kept.admin.then((admin) => admin.close()).catch(() => undefined);
  }
}
