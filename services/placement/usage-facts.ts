// The newest facts of every server that users and moves are placed by: what is kept of it, and asked where that is too old.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { ServerFacts } from './facts.ts';
import type { Policy } from './policy.ts';
import { askUsage } from './usage.ts';
import type { UsageFigure } from './usage.ts';
import type { UsageHistory } from './usage-history.ts';

export interface FactsSources {
  policy: Policy;
  history: Pick<UsageHistory, 'latest' | 'add'>;
  registry: Registry;
  admins: Pick<ImapAdmins, 'ask'>;
  /** How many users the directory has on each server. */
  users: () => Promise<ReadonlyMap<Bytes, number>>;
}

/** A server that was silent is asked again after so long, in milliseconds. */
const silentFor = 30_000;

/** In the order of serverlist and of the backends, without promises. Rejects where Redis is away. */
export async function newestFacts(sources: FactsSources): Promise<ServerFacts[]> {
  const { policy, registry, history, users } = sources;
  const names = new Set([...(policy.servers.list ?? []), ...registry.all().map(({ name }) => name)]);
  const latest = await history.latest([...names]);
  const counts = await users();
  return Promise.all(
    latest.map(async ({ server, figure, answer }) => {
      const known = isFresh(figure, policy) ? figure : await ask(server, sources);
      // One that is silent now may have told of its space before: how old that is decides.
      return factsOf(server, known, answer, counts.get(server) ?? 0);
    }),
  );
}

function isFresh(figure: UsageFigure | undefined, { figuresMaxAge }: Policy): figure is UsageFigure {
  if (!figure) return false;
  return Date.now() - figure.at < (figure.answered ? figuresMaxAge : silentFor);
}

async function ask(server: string, { registry, admins, history }: FactsSources): Promise<UsageFigure> {
  const figure = await askUsage(server, { registry, admins, now: Date.now() });
  await history.add(figure);
  return figure;
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
