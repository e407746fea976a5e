// The tokens that open the API, and what each role may do.
import { createHash, timingSafeEqual } from 'node:crypto';

/** Each may do what those before it may. */
export const apiRoles = ['read', 'operate', 'admin'] as const;
export type ApiRole = (typeof apiRoles)[number];

export interface Caller {
  /** The name of the token. */
  name: string;
  role: ApiRole;
}

export interface Token extends Caller {
  token: string;
}

export function mayDo(role: ApiRole, needed: ApiRole): boolean {
  return apiRoles.indexOf(role) >= apiRoles.indexOf(needed);
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Tokens, kept as digests: of one length, so that how long a comparison takes tells nothing. */
export class Tokens {
  readonly #entries: readonly { caller: Caller; digest: Buffer }[];

  /** Throws where two have the same token: it would be unclear who asks. */
  constructor(tokens: readonly Token[]) {
    this.#entries = tokens.map(({ token, name, role }) => ({ caller: { name, role }, digest: digestOf(token) }));
    for (const [index, { caller, digest }] of this.#entries.entries()) {
      const other = this.#entries.slice(0, index).find((entry) => entry.digest.equals(digest));
      if (other) throw new Error(`api.tokens.${caller.name} has the token of api.tokens.${other.caller.name}`);
    }
  }

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whose token it is; undefined when it is nobody's. Looks at all of them, whichever it is. */
  callerOf(token: string): Caller | undefined {
    const digest = digestOf(token);
    const fitting = this.#entries.filter((entry) => timingSafeEqual(entry.digest, digest));
    return fitting[0]?.caller;
  }
}
