// Where a new user goes: chosen by the figures that are known, asked for where they are not, and kept for whoever asks why.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import { textFromBytes } from '../directory/entry.ts';
import type { ServerFacts } from '../placement/facts.ts';
import { Placer } from '../placement/placer.ts';
import type { Policy } from '../placement/policy.ts';
import type { Promises } from '../placement/promises.ts';
import { askUsage } from '../placement/usage.ts';
import type { UsageFigure } from '../placement/usage.ts';
import type { UsageHistory } from '../placement/usage-history.ts';
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

export interface PlacingOptions {
  policy: Policy;
  promises: Pick<Promises, 'read' | 'take' | 'release' | 'settle'>;
  decisions: Pick<DecisionStore, 'keep'>;
  history: Pick<UsageHistory, 'latest' | 'add'>;
  registry: Registry;
  admins: Pick<ImapAdmins, 'ask'>;
  /** How many users the directory has on each server. */
  users: () => Promise<ReadonlyMap<Bytes, number>>;
}

/** A server that was silent is asked again after so long, in milliseconds. */
const silentFor = 30_000;

export class Placing {
  readonly #options: PlacingOptions;
  readonly #placer: Placer;

  constructor(options: PlacingOptions) {
    this.#options = options;
    const { policy, promises, users } = options;
    const figures = () => this.#figures();
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

  async #figures(): Promise<ServerFacts[]> {
    const { policy, registry, history, users } = this.#options;
    const names = new Set([...(policy.servers.list ?? []), ...registry.all().map(({ name }) => name)]);
    const latest = await history.latest([...names]);
    const counts = await users();
    return Promise.all(
      latest.map(async ({ server, figure, answer }) => {
        const known = this.#isFresh(figure) ? figure : await this.#ask(server);
        // One that is silent now may have told of its space before: how old that is decides.
        return factsOf(server, known, answer, counts.get(server) ?? 0);
      }),
    );
  }

  #isFresh(figure: UsageFigure | undefined): figure is UsageFigure {
    if (!figure) return false;
    return Date.now() - figure.at < (figure.answered ? this.#options.policy.figuresMaxAge : silentFor);
  }

  async #ask(server: string): Promise<UsageFigure> {
    const { registry, admins, history } = this.#options;
    const figure = await askUsage(server, { registry, admins, now: Date.now() });
    await history.add(figure);
    return figure;
  }
}

function factsOf(name: string, figure: UsageFigure, answer: UsageFigure | undefined, users: number): ServerFacts {
  const { answered, at, total, emptiest, partitions, error } = figure.answered ? figure : { ...answer, ...figure };
  return {
    ...{ name, answered, at, users, partitions },
    ...(error !== undefined && { silence: readable(error) }),
    ...(total && { total }),
    ...(emptiest && { emptiest }),
  };
}
