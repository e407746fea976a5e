// EXTERNAL (RFC 4422 appendix A): who the client is has been proved below, by its certificate; it only says whom it acts as.
import type { Message, ServerExchange, ServerStep } from './mechanism.ts';

/** The server's side. */
export class ExternalServer implements ServerExchange {
  readonly #names: readonly string[];

  /** `names` has been proved; the client may act as any of them, and as the first when it names none. */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  begin(initial: Message | undefined): ServerStep {
    return initial === undefined ? { kind: 'challenge', message: '' } : this.respond(initial);
  }

  respond(message: Message): ServerStep {
    // An authorization identity is UTF-8.
    const wanted = Buffer.from(message, 'latin1').toString('utf8');
    const username = wanted === '' ? this.#names[0] : this.#names.find((name) => name === wanted);
    if (username !== undefined) return { kind: 'success', username };
    return { kind: 'failure', reason: `the certificate does not allow to act as ${JSON.stringify(wanted)}` };
  }
}
