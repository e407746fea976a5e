// What every SASL mechanism is here, on either side: steps from message to message, without sockets, clocks or chance.

/** A message of a mechanism: bytes as a string of characters 0 to 255. */
export type Message = string;

/** What a server does after a client's message. */
export type ServerStep =
  | { kind: 'challenge'; message: Message }
  /** `username` is whom the client has proved to be, and acts as. */
  | { kind: 'success'; username: string }
  /** `reason` is for the log: a client learns only that it failed. */
  | { kind: 'failure'; reason: string };

/** One exchange on the server's side. `initial` is undefined when the client has sent no initial response. */
export interface ServerExchange {
  begin(initial: Message | undefined): ServerStep;
  respond(message: Message): ServerStep;
}

/** One exchange on the client's side. */
export interface ClientExchange {
  mechanism: string;
  /** The initial response; undefined when the server begins. */
  begin(): Message | undefined;
  /** The response to a challenge; throws when the challenge makes no sense. */
  respond(challenge: Message): Message;
}

/** Whether these are the credentials of a user. */
export type Verify = (username: string, password: string) => boolean;

/** A message from base64 (RFC 4648 section 4), padded and without anything else in it; undefined when it is not. */
export function messageFrom(base64: string): Message | undefined {
  // RFC 4422 section 4 by way of RFC 3656 section 4.2: a single `=` is an initial response of no bytes.
  if (base64 === '=') return '';
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined;
  return Buffer.from(base64, 'base64').toString('latin1');
}

export function base64Of(message: Message): string {
  return Buffer.from(message, 'latin1').toString('base64');
}

/** Whether two secrets are the same, in a time that depends on the lengths alone. */
export function sameSecret(given: string, known: string): boolean {
  let difference = given.length ^ known.length;
  for (let i = 0; i < given.length; i += 1) {
    difference |= given.charCodeAt(i) ^ known.charCodeAt(known.length === 0 ? 0 : i % known.length);
  }
  return difference === 0;
}
