// What audits of moves are carried out with, put together by the configuration: for the API, and for one command.
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { FindingStore } from '../moves/finding-store.ts';
import type { LeftOverMeans } from '../operations/left-over-operations.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { lookedAt } from './open-directory.ts';
import { eventsPlace } from './redis-access.ts';
import { registryOf } from './settings.ts';

/** What is known of moves, and how mailboxes are moved here. */
export type MovesKnown = Pick<LeftOverMeans, 'moveOf' | 'ofRun' | 'driver' | 'differences'>;

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

/** A second of the configuration in milliseconds. */
const second = 1000;

class NoMoves extends Error {
  override readonly name = 'NoMoves';
  readonly kind = 'refused';
}

const refused = () => Promise.reject(new NoMoves('nothing in this version can compare mailboxes of these backends'));

/** Where nothing is moved: there are no runs, and nothing can be proven. */
const noMoves: MovesKnown = {
  moveOf: () => Promise.resolve(undefined),
  ofRun: () => Promise.resolve(undefined),
  driver: { manifest: refused, discard: refused },
  differences: () => ['nothing in this version can compare them'],
};

/** Opens it whether or not Redis answers. */
export function openLeftOverMeans(
  config: Config,
  { directory, registry }: { directory: Directory; registry: Registry },
  { moves = noMoves, hearer = unheard }: { moves?: MovesKnown; hearer?: ConnectionHearer } = {},
): LeftOverMeans & { begun(): Promise<void>; close(): void } {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const imapTimeout = config.workers.imap_timeout * second;
  return {
    ...{ directory, registry, imapTimeout, findings: new FindingStore(redis), ...moves },
    admins: new ImapAdmins(registry, imapTimeout),
    retention: config.moves.retention * second,
    begun: () => connected(redis, patience),
    close: () => {
      redis.disconnect();
    },
  };
}

/** Opens it for one command. Rejects when Redis does not answer. */
export async function openLeftOvers(config: Config): Promise<LeftOverMeans & { close(): Promise<void> }> {
  const directory = await lookedAt(config);
  const means = openLeftOverMeans(config, { directory, registry: registryOf(config) });
  const close = async () => {
    means.close();
    await directory.close();
  };
  try {
    await means.begun();
  } catch (error) {
    await close();
    throw error;
  }
  return { ...means, close };
}
