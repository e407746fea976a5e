// Places users: decides by the newest figures and promises, promises the space, and decides anew where others were faster.
import type { Chance } from './chance.ts';
import { outgrown } from './considering.ts';
import type { Request } from './considering.ts';
import { Reinit } from './cyrus-process.ts';
import { decide } from './decision.ts';
import type { Decision, Place } from './decision.ts';
import { withPromises } from './facts.ts';
import type { ServerFacts } from './facts.ts';
import type { Policy } from './policy.ts';
import type { PromisedState, Promises, Room } from './promises.ts';

export interface PlacerOptions {
  policy: Policy;
  promises: Pick<Promises, 'read' | 'take' | 'release'>;
  /** The newest figures of every backend, without promises; rejects where they cannot be had. */
  figures: () => Promise<readonly ServerFacts[]>;
  /**
   * How many users are counted on each server by now, where the figures are older. Whoever is counted was promised until
   * then, and no longer.
   */
  users?: () => Promise<ReadonlyMap<string, number>>;
  chance: Chance;
  /** In milliseconds since 1970. */
  now: () => number;
}

export type Placed =
  /** `tries`: how often it was decided. */
  | { is: 'placed'; place: Place; decision: Decision; tries: number }
  /** Placed before, under the same token. */
  | { is: 'held'; place: Place }
  | { is: 'refused'; decision: Decision };

export class Placer {
  readonly #options: PlacerOptions;
  readonly #reinits: Reinit[];
  #figures: readonly ServerFacts[] | undefined;

  constructor(options: PlacerOptions) {
    this.#options = options;
    const { servers, partitions } = options.policy;
    this.#reinits = [new Reinit(servers.usageReinit), new Reinit(partitions.usageReinit)];
  }

  /**
   * Chooses a place and promises it to the token, which says what is being placed: whoever asks again with it, after a
   * crash say, gets the same place, if it still is one, until the promise is released or expires. Rejects where Redis or the figures are away.
   */
  async place(request: Request, token: string): Promise<Placed> {
    const { policy, promises, chance, now } = this.#options;
    const figures = await this.#newest();
    let state = await promises.read();
    for (let tries = 1; ; tries += 1) {
      // After the promises: who is settled in between counts twice for a moment, and never not at all.
      const counted = await this.#counted(figures);
      const facts = { now: now(), servers: withPromises(counted, state.servers) };
      const decision = decide(request, facts, policy, chance);
      const place = decision.chosen;
      if (!place) return { is: 'refused', decision };
      const promise = { token, ...place, KiB: policy.promisedKiB, lifetime: policy.promiseLifetime };
      // With many deciders somebody is always faster. The last decision stands, by facts that are a moment old; only the
      // maximum of users holds then, too: whoever is refused by that was decided anew because another one got a place.
      const isLast = tries >= policy.promiseAttempts;
      const room = isLast ? this.#room(place.server, request, counted, state) : undefined;
      const taken = await promises.take(promise, isLast ? undefined : state.version, room);
      if (taken.is === 'taken') return { is: 'placed', place, decision, tries };
      if (taken.is === 'refused') {
        state = taken.state;
        continue;
      }
      if (outgrown(taken.place, request, policy) === undefined) return taken;
      // Promised for an earlier wish, or before an operator has changed his mind.
      await promises.release(token);
      state = await promises.read();
    }
  }

  async #counted(figures: readonly ServerFacts[]): Promise<readonly ServerFacts[]> {
    const { users, policy } = this.#options;
    const limits = Array.from(policy.backends.values()).some(({ maximumUsers }) => maximumUsers !== undefined);
    if (!users || !limits) return figures;
    const counts = await users();
    return figures.map((server) => ({ ...server, users: counts.get(server.name) ?? 0 }));
  }

  /** What is left of a server's maximum of users; nothing where it has none, or an operator's word stands above it. */
  #room(name: string, request: Request, counted: readonly ServerFacts[], { settles }: PromisedState): Room | undefined {
    const { maximumUsers } = this.#options.policy.backends.get(name) ?? {};
    if (maximumUsers === undefined || request.server !== undefined) return undefined;
    return { users: maximumUsers - (counted.find((server) => server.name === name)?.users ?? 0), settles };
  }

  async #newest(): Promise<readonly ServerFacts[]> {
    const { policy, figures, now } = this.#options;
    // Each counts, whatever the other says.
    const due = this.#reinits.map((reinit) => reinit.due()).includes(true);
    const tooOld = this.#figures?.some(({ at }) => now() - at > policy.figuresMaxAge) ?? true;
    if (due || tooOld || !this.#figures) this.#figures = await figures();
    return this.#figures;
  }
}
