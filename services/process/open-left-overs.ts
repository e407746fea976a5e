// What audits of moves are carried out with, put together by the configuration: for the API, and for one command.
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { FindingStore } from '../moves/finding-store.ts';
import type { LeftOverMeans } from '../operations/left-over-operations.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { openMoves } from './open-moves.ts';
import { lookedAt } from './open-directory.ts';
import { eventsPlace } from './redis-access.ts';
import { registryOf } from './settings.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

/** A second of the configuration in milliseconds. */
const second = 1000;

/** Opens it whether or not Redis answers. */
export function openLeftOverMeans(
  config: Config,
  { directory, registry, routing }: Pick<LeftOverMeans, 'routing'> & { directory: Directory; registry: Registry },
  hearer: ConnectionHearer = unheard,
): LeftOverMeans & { begun(): Promise<void>; close(): void } {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const imapTimeout = config.workers.imap_timeout * second;
  const admins = new ImapAdmins(registry, imapTimeout);
  const moves = openMoves(config, hearer);
  const { cutTimeout: timeout, retention, lease } = moves.settings;
  const driver = moves.tools.driver({ registry, admins, copies: directory.copies, timeout });
  return {
    ...{ directory, registry, routing, imapTimeout, findings: new FindingStore(redis), admins },
    moveOf: async (name) => (await moves.store.read(name))?.move,
    async ofRun(run) {
      const all = await moves.store.ofRun(run);
      // Of a run in which nothing was begun yet there are no moves.
      return all.length > 0 || (await moves.runs.read(run)) ? all : undefined;
    },
    driver,
    ...{ differences: moves.tools.strictDifferences, retention, lease },
    begun: async () => {
      await Promise.all([connected(redis, patience), moves.store.begun()]);
    },
    close: () => {
      void driver.close?.();
      moves.close();
      redis.disconnect();
    },
  };
}

/** Opens it for one command. Rejects when Redis does not answer. */
export async function openLeftOvers(config: Config): Promise<LeftOverMeans & { close(): Promise<void> }> {
  const directory = await lookedAt(config);
  const { routing } = directory;
  const means = openLeftOverMeans(config, { directory, registry: registryOf(config), routing });
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
