// New sessions with one backend: at the first of its addresses that has one; at which address each session is.
import type { Address, LmtpAccess } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendPlaces } from './backend-places.ts';
import { BackendSession } from './backend-session.ts';
import type { BackendSettings } from './settings.ts';

export class BackendConnector {
  readonly #server: Bytes;
  readonly #name: string;
  readonly #settings: BackendSettings;
  readonly #places: BackendPlaces;
  readonly #placeOf = new WeakMap<BackendSession, number>();

  /** `name`: what we call ourselves in LHLO. */
  constructor(server: Bytes, addresses: readonly Address[], name: string, settings: BackendSettings) {
    this.#server = server;
    this.#name = name;
    this.#settings = settings;
    this.#places = new BackendPlaces(addresses, settings.failback_after);
  }

  /** A new session at the first address that has one. Rejects as the last of them did. */
  async open(access: LmtpAccess): Promise<BackendSession> {
    let failure: unknown;
    for (const place of this.#places.order(performance.now())) {
      const address = this.#places.at(place);
      try {
        const session = await BackendSession.open(this.#server, address, access, this.#name, this.#settings);
        this.#places.succeeded(place);
        this.#placeOf.set(session, place);
        return session;
      } catch (error) {
        failure = error;
        this.#places.failed(place, performance.now());
      }
    }
    throw failure;
  }

  /** Whether an address that stands before the session's is known to answer: then nobody should stay there. */
  isBeaten(session: BackendSession): boolean {
    return this.#places.isBeaten(this.#placeOf.get(session) ?? 0);
  }

  /** Whether an address that stands before the session's is to be tried again. */
  isRetryDue(session: BackendSession): boolean {
    return this.#places.isRetryDue(this.#placeOf.get(session) ?? 0, performance.now());
  }
}
