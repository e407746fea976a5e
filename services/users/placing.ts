// Where a new user goes: chosen by the figures that are known, asked for where they are not, and kept for whoever asks why.
import type { Bytes } from '../address/bytes.ts';
import { textFromBytes } from '../directory/entry.ts';
import { Placer } from '../placement/placer.ts';
import type { Promises } from '../placement/promises.ts';
import { newestFacts } from '../placement/usage-facts.ts';
import type { FactsSources } from '../placement/usage-facts.ts';
import type { DecisionStore } from './decision-store.ts';
import type { Order, Place } from './order.ts';

/** There is no place now: kind `away`; or there never will be one for what is asked for: `refused`. */
export class NoPlace extends Error {
  override readonly name = 'NoPlace';
  readonly kind: 'away' | 'refused';

  constructor(kind: 'away' | 'refused', message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface PlacingOptions extends FactsSources {
  promises: Pick<Promises, 'read' | 'take' | 'release' | 'settle'>;
  decisions: Pick<DecisionStore, 'keep'>;
}

export class Placing {
  readonly #options: PlacingOptions;
  readonly #placer: Placer;

  constructor(options: PlacingOptions) {
    this.#options = options;
    const { policy, promises, users } = options;
    const figures = () => newestFacts(options);
    this.#placer = new Placer({ policy, promises, figures, users, chance: Math.random, now: Date.now });
  }

  /** Chooses, and promises the space. Rejects with NoPlace where no server can take the user. */
  async choose({ name, wish, passed }: Order): Promise<Place> {
    if (wish.is !== 'create') throw new Error('only new users are placed');
    const { server, partition, zone } = wish;
    const request = {
      name: textFromBytes(name),
      ...(server !== undefined && { server: textFromBytes(server) }),
      ...(partition !== undefined && { partition: textFromBytes(partition) }),
      ...(zone !== undefined && { zone }),
      ...(passed.length > 0 && {
        not: passed.map(({ server, ...out }) => ({ ...out, server: textFromBytes(server) })),
      }),
    };
    const placed = await this.#placer.place(request, textFromBytes(name));
    if (placed.is !== 'held') await this.#options.decisions.keep(name, placed.decision);
    if (placed.is !== 'refused') return placed.place;
    const { lasting, refused = 'no place' } = placed.decision;
    throw new NoPlace(lasting ? 'refused' : 'away', refused);
  }

  /** The user is counted on this server: his space stays promised until the figures show it, he himself is no longer. */
  async counted(name: Bytes, server: Bytes): Promise<void> {
    await this.#options.promises.settle(textFromBytes(name), textFromBytes(server));
  }

  /** He is not to be there, or elsewhere. */
  async release(name: Bytes): Promise<void> {
    await this.#options.promises.release(textFromBytes(name));
  }
}
