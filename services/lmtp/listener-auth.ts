// AUTH (RFC 4954): one exchange, from the command to its verdict.
import { TLSSocket } from 'node:tls';
import type { PeerCertificate } from 'node:tls';
import type { Bytes } from '../directory/entry.ts';
import { ExternalServer } from '../sasl/external.ts';
import { base64Of, messageFrom, sameSecret } from '../sasl/mechanism.ts';
import type { ServerExchange, ServerStep } from '../sasl/mechanism.ts';
import { PlainServer } from '../sasl/plain.ts';
import * as codes from './reply-codes.ts';
import type { Reply } from './reply.ts';
import type { LmtpSettings } from './settings.ts';

/** What mechanisms there are depends on. */
export interface AuthFacts {
  settings: LmtpSettings;
  /** Whether nobody can listen in: TLS, or a Unix socket. */
  private: boolean;
  /** The names that a client's certificate proves, of those who may submit. */
  names: readonly string[];
}

/** The mechanisms that a client is offered. SCRAM has its place here. */
export function mechanismsOf({ settings, private: isPrivate, names }: AuthFacts): string[] {
  const plain = settings.users.size > 0 && (isPrivate || settings.allowplaintext);
  return [...(plain ? ['PLAIN'] : []), ...(names.length > 0 ? ['EXTERNAL'] : [])];
}

/** What comes of a line: a reply and, at the end, who it is or why not; `reason` is for the log. */
export type AuthStep =
  { reply: Reply } | { reply: Reply; username: string } | { reply: Reply; reason: string; failed: boolean };

export class AuthExchange {
  readonly #exchange: ServerExchange;

  private constructor(exchange: ServerExchange) {
    this.#exchange = exchange;
  }

  /** `AUTH mechanism [initial response]`. The exchange goes on where the step is a 334. */
  static begin(argument: Bytes, facts: AuthFacts): { step: AuthStep; exchange: AuthExchange | undefined } {
    const [mechanism = '', initial, ...more] = argument.split(' ');
    const name = mechanism.toUpperCase();
    if (name === '' || more.length > 0)
      return none(codes.badParameters('AUTH needs a mechanism, and may have a response'));
    if (!mechanismsOf(facts).includes(name)) {
      const hidden = name === 'PLAIN' && facts.settings.users.size > 0;
      return none(hidden ? codes.encryptionNeeded : codes.unknownMechanism);
    }
    const auth = new AuthExchange(name === 'PLAIN' ? plain(facts.settings) : new ExternalServer(facts.names));
    const step = initial === undefined ? auth.#said(auth.#exchange.begin(undefined)) : auth.#take(initial, true);
    return { step, exchange: auth };
  }

  /** A line of the client's within the exchange. */
  respond(line: Bytes): AuthStep {
    if (line === '*') return ended(codes.authCancelled, 'cancelled by the client');
    return this.#take(line, false);
  }

  #take(base64: Bytes, initial: boolean): AuthStep {
    // `=` is an empty initial response, and nothing else (RFC 4954 section 4).
    const message = base64 === '=' && !initial ? undefined : messageFrom(base64);
    if (message === undefined) return ended(codes.notBase64, 'no base64');
    return this.#said(initial ? this.#exchange.begin(message) : this.#exchange.respond(message));
  }

  #said(step: ServerStep): AuthStep {
    if (step.kind === 'challenge') return { reply: codes.challenge(base64Of(step.message)) };
    if (step.kind === 'success') return { reply: codes.authenticated, username: step.username };
    return { reply: codes.badCredentials, reason: step.reason, failed: true };
  }
}

/** The names in a client's certificate that may submit, once its chain has been found good: subject, then others. */
export function namesProved(socket: unknown, admins: ReadonlySet<string>): string[] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return [];
  // Nothing is in it where there is none.
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  const { subject, subjectaltname = '' } = certificate;
  const others = Array.from(subjectaltname.matchAll(/(?:^|, )(?:DNS|email):([^,"]+)/g), ([, name = '']) => name);
  // Where a certificate has several common names, none of them is whom it is made out to.
  const common: unknown = subject?.CN;
  return [...(typeof common === 'string' ? [common] : []), ...others].filter((name) => admins.has(name));
}

function plain({ users, lmtp_admins }: LmtpSettings): PlainServer {
  return new PlainServer((username, password) => {
    const known = users.get(username);
    // Compared in any case: how long the answer takes does not tell who there is.
    const same = sameSecret(password, known ?? '');
    return same && known !== undefined && lmtp_admins.has(username);
  });
}

function none(reply: Reply): { step: AuthStep; exchange: undefined } {
  return { step: ended(reply, 'refused'), exchange: undefined };
}

function ended(reply: Reply, reason: string): AuthStep {
  return { reply, reason, failed: false };
}
