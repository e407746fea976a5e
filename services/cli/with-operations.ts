// A command's way to what it asks: over the API of a running process, or by itself in Redis; opened, asked, closed.
import type { Bytes } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { AuditOperations } from '../operations/audit-operations.ts';
import type { BackendOperations } from '../operations/backend-operations.ts';
import type { LeftOverOperations } from '../operations/left-over-operations.ts';
import type { OnDirectory, OnUsers } from '../operations/operations.ts';
import type { MovePlanning } from '../operations/move-planning.ts';
import type { MoveOperations } from '../operations/move-operations.ts';
import type { PlacementOperations } from '../operations/placement-operations.ts';
import type { QueueOperations } from '../operations/queue-operations.ts';
import type { ReplicationOperations } from '../operations/replication-operations.ts';
import type { ScalingOperations } from '../operations/scaling-operations.ts';
import type { UsageOperations } from '../operations/usage-operations.ts';
import {
  onAudit,
  onBackends,
  onDirectory,
  onLeftOvers,
  onFigures,
  onPlanning,
  onMoves,
  onPools,
  onQueues,
  onReplication,
  onUsage,
  onUsers,
} from '../process/operations.ts';
import { registryOf } from '../process/settings.ts';
import { apiOf } from './api-client.ts';
import type { ApiClient, ApiOptions } from './api-client.ts';
import { apiOnBackends } from './api-on-backends.ts';
import { apiOnLeftOvers } from './api-on-left-overs.ts';
import { apiOnDirectory, apiOnQueues } from './api-operations.ts';
import { apiOnPlanning } from './api-on-moves.ts';
import { apiOnMoves } from './api-on-runs.ts';
import { apiOnAudit, apiOnPools, apiOnReplication, apiOnUsage, apiOnUsers } from './api-on-users.ts';
import { configOf } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';

/** Ends the command with 69 where what it needs cannot be opened. */
async function opened<T>(what: string, opening: Promise<T>): Promise<T> {
  return opening.catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exit.unavailable, `${what}: ${reason}`, { cause: error });
  });
}

/** Lets `ask` have the directory. */
export async function withDirectory<T>(
  options: ApiOptions,
  surroundings: Surroundings,
  ask: (operations: OnDirectory) => Promise<T>,
): Promise<T> {
  const api = apiOf(options, surroundings);
  if (api) return ask(apiOnDirectory(api));
  const config = configOf(options, surroundings);
  const directory = await opened('the directory cannot be opened', surroundings.openDirectory(config));
  const rung: Bytes[] = [];
  try {
    const registry = registryOf(config);
    registry.hear(await opened('what is said of backends cannot be read', surroundings.wordsOf(config)));
    return await ask(onDirectory(directory, registry, config, (name) => rung.push(name)));
  } finally {
    await directory.close();
    await ringFor(rung, config, surroundings);
  }
}

/** What is done is done, whether or not the workers hear of it at once. */
async function ringFor(names: readonly Bytes[], config: Config, { ring, err }: Surroundings): Promise<void> {
  if (names.length === 0) return;
  await ring(config, names).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    err(`rookery: the workers are not rung for, and look within a minute: ${reason}`);
  });
}

/** Something that is asked by the API, or opened by the configuration and closed after it. */
interface Way<O, Opened extends { close(): void | Promise<void> }> {
  /** What a command says when it cannot be opened. */
  failing: string;
  byApi: (api: ApiClient) => O;
  open: (config: Config) => Promise<Opened>;
  by: (opened: Opened, config: Config) => O;
}

async function along<O, Opened extends { close(): void | Promise<void> }, T>(
  { failing, byApi, open, by }: Way<O, Opened>,
  {
    options,
    surroundings,
    ask,
  }: { options: ApiOptions; surroundings: Surroundings; ask: (operations: O) => Promise<T> },
): Promise<T> {
  const api = apiOf(options, surroundings);
  if (api) return ask(byApi(api));
  const config = configOf(options, surroundings);
  const there = await opened(failing, open(config));
  try {
    return await ask(by(there, config));
  } finally {
    await there.close();
  }
}

type Asking<O> = <T>(options: ApiOptions, surroundings: Surroundings, ask: (operations: O) => Promise<T>) => Promise<T>;

/** Lets `ask` have the backends. */
export const withBackends: Asking<BackendOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'what is known of backends cannot be read', byApi: apiOnBackends },
      ...{ open: (config) => surroundings.openBackends(config), by: (there) => onBackends(there) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the audits of moves, and what they have found. */
export const withLeftOvers: Asking<LeftOverOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'nothing can be audited', byApi: apiOnLeftOvers },
      ...{ open: (config) => surroundings.openLeftOvers(config), by: (there) => onLeftOvers(there) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the queues. */
export const withQueues: Asking<QueueOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the queues cannot be opened', byApi: apiOnQueues },
      ...{ open: (config) => surroundings.openBacklog(config), by: (there) => onQueues(there) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have runs of plans, and moves. */
export const withMoves: Asking<MoveOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the runs cannot be opened', byApi: apiOnMoves },
      ...{ open: (config) => surroundings.openMoves(config), by: (there) => onMoves(there) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the pools of workers. */
export const withPools: Asking<ScalingOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the queues cannot be opened', byApi: apiOnPools },
      ...{ open: (config) => surroundings.openBacklog(config), by: (there, config) => onPools(config, there) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the orders of users, and the decisions on where they go. */
export const withUsers: Asking<OnUsers> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'orders cannot be taken', byApi: apiOnUsers },
      ...{
        open: (config) => surroundings.openOrders(config),
        by: (there, config) => onUsers(there, config, registryOf(config)),
      },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the replicas of backends. */
export const withReplication: Asking<ReplicationOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the queues cannot be opened', byApi: apiOnReplication },
      open: (config) => surroundings.openReplicas(config),
      by: (there, config) => onReplication(there, seenOnce(config, surroundings), config),
    },
    { options, surroundings, ask },
  );

/** The directory, opened for each question: whoever names a server does not need it. */
function seenOnce(config: Config, { openDirectory }: Surroundings): Pick<Directory, 'tree' | 'list'> {
  const seen = async <T>(look: (directory: Directory) => Promise<T>): Promise<T> => {
    const directory = await openDirectory(config);
    try {
      return await look(directory);
    } finally {
      await directory.close();
    }
  };
  return {
    tree: (tree) => seen((directory) => directory.tree(tree)),
    list: (prefix) => seen((directory) => directory.list(prefix)),
  };
}

/** Lets `ask` have the figures of the backends' room. */
export const withUsage: Asking<UsageOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the figures cannot be read', byApi: apiOnUsage },
      ...{ open: (config) => surroundings.openUsage(config), by: ({ usage }, config) => onUsage(usage, config) },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have moves planned. */
export const withPlanning: Asking<MovePlanning> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'moves cannot be planned', byApi: apiOnPlanning },
      ...{ open: (config) => surroundings.openPlanning(config), by: onPlanning },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have the audit. */
export const withAudit: Asking<AuditOperations> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the audit cannot be read', byApi: apiOnAudit },
      ...{ open: (config) => surroundings.openAudit(config), by: onAudit },
    },
    { options, surroundings, ask },
  );

/** Lets `ask` have new users placed that never come; by the configuration it takes Redis only for what is said of backends. */
export const withFigures: Asking<Pick<PlacementOperations, 'simulate'>> = (options, surroundings, ask) =>
  along(
    {
      ...{ failing: 'the figures cannot be read', byApi: (api) => apiOnUsers(api).placement },
      open: (config) => saidOrNot(config, surroundings),
      by: ({ registry }, config) => onFigures(config, registry, (now) => surroundings.placementFigures(config, now)),
    },
    { options, surroundings, ask },
  );

/** The backends as operators have them; while Redis is away as the configuration has them, which is said. */
async function saidOrNot(
  config: Config,
  { wordsOf, err }: Surroundings,
): Promise<{ registry: Registry; close(): void }> {
  const registry = registryOf(config);
  try {
    registry.hear(await wordsOf(config));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    err(`rookery: what operators have said of backends is not known, the configuration alone counts: ${reason}`);
  }
  return { registry, close: () => undefined };
}
