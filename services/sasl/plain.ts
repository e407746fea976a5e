// PLAIN (RFC 4616): one message with the name to act as, the own name and the password.
import type { ClientExchange, Message, ServerExchange, ServerStep, Verify } from './mechanism.ts';

/** The server's side. A user acts as himself: an authorization identity must be empty or the very same name. */
export class PlainServer implements ServerExchange {
  readonly #verify: Verify;

  constructor(verify: Verify) {
    this.#verify = verify;
  }

  begin(initial: Message | undefined): ServerStep {
    return initial === undefined ? { kind: 'challenge', message: '' } : this.respond(initial);
  }

  respond(message: Message): ServerStep {
    const parts = message.split('\0').map(text);
    const [authorization = '', username, password] = parts;
    if (parts.length !== 3 || !username || !password) return failure('not a message of PLAIN');
    if (!this.#verify(username, password)) return failure(`wrong credentials for user ${JSON.stringify(username)}`);
    if (authorization !== '' && authorization !== username) {
      return failure(`user ${JSON.stringify(username)} may not act as ${JSON.stringify(authorization)}`);
    }
    return { kind: 'success', username };
  }
}

/** The client's side, which begins; `authorization` left out means: as myself. */
export class PlainClient implements ClientExchange {
  readonly mechanism = 'PLAIN';
  readonly #message: Message;

  constructor(username: string, password: string, authorization = '') {
    this.#message = [authorization, username, password].map(bytes).join('\0');
  }

  begin(): Message {
    return this.#message;
  }

  respond(challenge: Message): Message {
    if (challenge !== '') throw new Error('PLAIN: the server sent a challenge that is not empty');
    return this.#message;
  }
}

function failure(reason: string): ServerStep {
  return { kind: 'failure', reason };
}

/** RFC 4616 section 2: names and passwords are UTF-8 in the message. */
function text(message: Message): string {
  return Buffer.from(message, 'latin1').toString('utf8');
}

function bytes(text: string): Message {
  return Buffer.from(text, 'utf8').toString('latin1');
}
