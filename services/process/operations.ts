// What operators may ask of this process, put together by its configuration, for the API and for the commands.
import type { Bytes } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { offeredSize } from '../lmtp/offered-size.ts';
import { auditOperations } from '../operations/audit-operations.ts';
import type { AuditOperations, KeptAudit } from '../operations/audit-operations.ts';
import { backendOperations } from '../operations/backend-operations.ts';
import type { BackendMeans, BackendOperations } from '../operations/backend-operations.ts';
import { directoryOperations } from '../operations/directory-operations.ts';
import { leftOverOperations } from '../operations/left-over-operations.ts';
import type { LeftOverMeans, LeftOverOperations } from '../operations/left-over-operations.ts';
import { mailboxOperations } from '../operations/mailbox-operations.ts';
import { movePlanning } from '../operations/move-planning.ts';
import type { MovePlanning } from '../operations/move-planning.ts';
import { moveOperations } from '../operations/move-operations.ts';
import type { MoveOperations, OperatorsMoves } from '../operations/move-operations.ts';
import type { OnDirectory, OnUsers } from '../operations/operations.ts';
import { placementExplaining } from '../operations/placement-operations.ts';
import { simulating } from '../operations/placement-simulation.ts';
import { queueOperations } from '../operations/queue-operations.ts';
import type { OperatorsQueues, QueueOperations } from '../operations/queue-operations.ts';
import { asked } from '../operations/refusal.ts';
import { replicationOperations } from '../operations/replication-operations.ts';
import type { ReplicaRings, ReplicationOperations } from '../operations/replication-operations.ts';
import { routeOperations } from '../operations/route-operations.ts';
import { scalingOperations } from '../operations/scaling-operations.ts';
import type { ScalingOperations } from '../operations/scaling-operations.ts';
import { usageOperations } from '../operations/usage-operations.ts';
import type { UsageOperations } from '../operations/usage-operations.ts';
import { userOperations } from '../operations/user-operations.ts';
import type { PlanningMeans } from '../moves/planning.ts';
import type { ServerFacts } from '../placement/facts.ts';
import type { UsageHistory } from '../placement/usage-history.ts';
import type { DecisionStore } from '../users/decision-store.ts';
import type { Ordering } from '../users/ordering.ts';
import { configuredFacts, followingFlags, placementPolicy } from './placement-settings.ts';
import { replicasOf } from './replicas.ts';
import type { Events } from './role.ts';
import { poolsOf } from './scaling-pools.ts';
import { scalingStates } from './scaling-state.ts';
import { backendSettings, directoryPatience, lmtpSettings } from './settings.ts';

/** `ring`: has the workers look into a name at once. */
export function onDirectory(
  directory: Directory,
  registry: Registry,
  config: Config,
  ring: (name: Bytes) => void,
): OnDirectory {
  const whom = 'the directory';
  const imapTimeout = config.workers.imap_timeout * 1000;
  const routing = {
    ...{ addresses: config.lmtp, mail: lmtpSettings(config), patience: directoryPatience(config) },
    offeredSize: (server: Bytes) => offeredSize(server, registry, backendSettings(config), config.servername),
  };
  return {
    directory: asked(whom, directoryOperations(directory, registry)),
    mailboxes: asked(whom, mailboxOperations({ directory, registry, imapTimeout, ring })),
    route: asked(whom, routeOperations(directory, registry, routing)),
  };
}

export function onBackends(means: BackendMeans): BackendOperations {
  return asked('what is known of backends', backendOperations(means));
}

export function onLeftOvers(means: LeftOverMeans): LeftOverOperations {
  return asked('the directory, or a server,', leftOverOperations(means));
}

export function onQueues(queues: OperatorsQueues): QueueOperations {
  return asked('the queues', queueOperations(queues));
}

export function onMoves(moves: OperatorsMoves): MoveOperations {
  return asked('the runs', moveOperations(moves));
}

/** `directory`: where users are. */
export function onReplication(
  rings: ReplicaRings,
  directory: Pick<Directory, 'tree' | 'list'>,
  config: Config,
): ReplicationOperations {
  const rows = asked('the directory', {
    tree: (tree: Bytes) => directory.tree(tree),
    list: (prefix: Bytes) => directory.list(prefix),
  });
  const replicated = [...replicasOf(config).keys()];
  const addresses = config.lmtp;
  return asked('the queues', replicationOperations({ replicated, rings, directory: rows, addresses }));
}

/** What is asked of users, and kept of them. */
export interface OperatorsUsers {
  ordering: Pick<Ordering, 'place' | 'read' | 'cancel'>;
  decisions: Pick<DecisionStore, 'read'>;
}

/** `registry`: by which the simulation knows who takes new users. */
export function onUsers({ ordering, decisions }: OperatorsUsers, config: Config, registry: Registry): OnUsers {
  const explain = placementExplaining(decisions, config.lmtp);
  const figures = (now: number) => Promise.resolve(configuredFacts(config, now));
  return {
    users: asked('the orders', userOperations(ordering, config.lmtp)),
    placement: { ...asked('the decisions', { explain }), ...onFigures(config, registry, figures) },
  };
}

/** The simulation alone, which wants no Redis. */
export function onFigures(
  config: Config,
  registry: Registry,
  figures: (now: number) => Promise<ServerFacts[]>,
): Pick<OnUsers['placement'], 'simulate'> {
  return asked('the figures', { simulate: simulating(figures, followingFlags(placementPolicy(config), registry)) });
}

export function onPools(config: Config, { demand }: Pick<Events, 'demand'>): ScalingOperations {
  const pools = poolsOf(config);
  const names = pools.map(({ name }) => name);
  return asked('the queues', scalingOperations(scalingStates(pools, demand), names));
}

export function onUsage(usage: Pick<UsageHistory, 'latest' | 'history'>, config: Config): UsageOperations {
  return asked('the figures', usageOperations(usage, Object.keys(config.backends)));
}

export function onAudit(trail: KeptAudit): AuditOperations {
  return asked('the audit', auditOperations(trail));
}

export function onPlanning({ means }: { means: PlanningMeans }, config: Config): MovePlanning {
  const { total, per_source, per_destination, per_partition, bytes_per_second } = config.moves.limits;
  const limits = {
    ...{ total, perSource: per_source, perDestination: per_destination, perPartition: per_partition },
    bytesPerSecond: bytes_per_second,
  };
  return asked('the directory', movePlanning(means, { limits, addresses: config.lmtp }));
}
