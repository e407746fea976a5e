// Administrator's sessions for long questions, one at a time on each: a move asks several in a row, so they are kept for a while.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import { ImapFailure } from './imap-failure.ts';
import { ImapSession } from './imap-session.ts';
import type { SessionOptions } from './imap-session.ts';
import type { ImapAccess, Registry } from './registry.ts';

export interface ImapSessionsOptions {
  registry: Pick<Registry, 'find'>;
  /** How a session is begun; left out: as any administrator's. */
  connect?: (access: ImapAccess, options: SessionOptions) => Promise<ImapSession>;
  /** For one question, in milliseconds. */
  timeout: number;
}

export interface Question<Result> {
  /** Completes "waited for ...". */
  what: string;
  ask: (session: ImapSession) => Promise<Result>;
  /** Gives up waiting; what the server was told goes on there. */
  signal: AbortSignal;
  /** Whether the session can be used for another one after this; left out: always. */
  isGoodAfter?: (result: Result) => boolean;
}

/** For a connection and its login, and for a sign of life, in milliseconds. */
const login = 30_000;

/** How long a session that nobody uses is kept, in milliseconds. */
const idleAfter = 10_000;

interface Idle {
  session: ImapSession;
  timer: NodeJS.Timeout;
}

export class ImapSessions {
  readonly #options: ImapSessionsOptions;
  readonly #idle = new Map<Bytes, Idle[]>();
  #isClosed = false;

  constructor(options: ImapSessionsOptions) {
    this.#options = options;
  }

  /** Asks on a session that nobody else uses meanwhile. Rejects with an ImapFailure. */
  async ask<Result>(server: Bytes, question: Question<Result>): Promise<Result> {
    const { what, ask, signal, isGoodAfter = () => true } = question;
    const session = await this.#session(server);
    const abandon = (): void => {
      session.abandon(`nobody waits any more for ${what}`);
    };
    if (signal.aborted) abandon();
    signal.addEventListener('abort', abandon);
    let isGood = false;
    try {
      const result = await session.asks(what, () => ask(session));
      isGood = isGoodAfter(result);
      return result;
    } finally {
      signal.removeEventListener('abort', abandon);
      if (isGood && !this.#isClosed) this.#keep(server, session);
      else await session.close();
    }
  }

  /** Closes those that nobody uses, and keeps none any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#idle.values()].flat();
    this.#idle.clear();
    await Promise.all(
      all.map(({ session, timer }) => {
        clearTimeout(timer);
        return session.close();
      }),
    );
  }

  /** One that was kept and still answers, or a new one. */
  async #session(server: Bytes): Promise<ImapSession> {
    const access = this.#options.registry.find(server)?.imap;
    if (!access) throw new ImapFailure(`${readable(server)} has no imap in the configuration`, 'refused');
    for (let kept = this.#taken(server); kept; kept = this.#taken(server)) {
      if (kept.access === access && (await kept.answers(login))) return kept;
      await kept.close();
    }
    const { connect = plain, timeout } = this.#options;
    return connect(access, { timeout, login, server });
  }

  #taken(server: Bytes): ImapSession | undefined {
    const idle = this.#idle.get(server)?.pop();
    clearTimeout(idle?.timer);
    return idle?.session;
  }

  #keep(server: Bytes, session: ImapSession): void {
    const idle = this.#idle.get(server) ?? [];
    this.#idle.set(server, idle);
    const timer = setTimeout(() => {
      idle.splice(
        idle.findIndex((one) => one.session === session),
        1,
      );
      void session.close();
    }, idleAfter);
    idle.push({ session, timer: timer.unref() });
  }
}

const plain: NonNullable<ImapSessionsOptions['connect']> = (access, options) => ImapSession.connect(access, options);
