// What the commands need of the world; main.ts has the real one.
import type { Word } from '../backends/lifecycle.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { QueueName } from '../events/queues.ts';
import type { Bytes } from '../address/bytes.ts';
import type { BackendMeans } from '../operations/backend-operations.ts';
import type { KeptAudit } from '../operations/audit-operations.ts';
import type { OperatorsMoves } from '../operations/move-operations.ts';
import type { LeftOverMeans } from '../operations/left-over-operations.ts';
import type { OperatorsQueues } from '../operations/queue-operations.ts';
import type { ReplicaRings } from '../operations/replication-operations.ts';
import type { OperatorsUsers } from '../process/operations.ts';
import type { OpenPlanning } from '../process/open-planning.ts';
import type { Events } from '../process/role.ts';
import type { UsageHistory } from '../placement/usage-history.ts';
import type { ServerFacts } from '../placement/facts.ts';
import type { Role } from './roles.ts';

export interface StartOptions {
  config: Config;
  roles: Role[];
  /** Takes lines for people, before `ready`. */
  out: (line: string) => void;
  /** Where the configuration was read from, for worker processes that the role autoscaler starts. */
  configFile: string | undefined;
  /** Where the configuration leaves it open, the role lmtp has a process for each core. */
  spread?: boolean;
  /** For the role worker: which queues, and how many jobs of each at a time, where the command line says so. */
  worker?: {
    queues?: readonly QueueName[] | undefined;
    concurrency?: number | undefined;
    /** To end when the queues have been empty for `idle` milliseconds, or the deadline is near. */
    drain?: { idle: number; deadline: number } | undefined;
  };
}

/** The queues, as a command looks at them. */
export interface OpenBacklog extends OperatorsQueues, Pick<Events, 'demand'> {
  close(): Promise<void>;
}

/** The orders of users, as a command has to do with them. */
export interface OpenOrders extends OperatorsUsers {
  close(): Promise<void>;
}

/** Runs and moves, as a command has to do with them. */
export interface OpenMoves extends OperatorsMoves {
  close(): Promise<void>;
}

/** The replicas of backends, as a command rings for them. */
export interface OpenReplicas extends ReplicaRings {
  close(): Promise<void>;
}

/** All that backends are asked and told by. */
export interface OpenBackends extends BackendMeans {
  close(): Promise<void>;
}

/** All that audits of moves are carried out with. */
export interface OpenLeftOvers extends LeftOverMeans {
  close(): Promise<void>;
}

/** What is remembered of the backends' room. */
export interface OpenUsage {
  usage: Pick<UsageHistory, 'latest' | 'history'>;
  close(): Promise<void>;
}

export interface Running {
  /** Resolves when what was started has come to an end by itself; most roles never do. */
  done: Promise<string>;
  /** Goes on by the configuration read anew, as far as that can be had; tells the log. Never rejects. */
  reload(read: () => Config): Promise<void>;
  stop(): Promise<void>;
}

/** A terminal, on which lines can be drawn over. */
export interface Terminal {
  readonly columns: number;
  write: (text: string) => void;
}

export interface Surroundings {
  /** Where standard output is one. */
  terminal?: Terminal | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** One line each, to standard output and to standard error. */
  out: (line: string) => void;
  err: (line: string) => void;
  /** Rejects when the directory's Redis does not answer. */
  openDirectory: (config: Config) => Promise<Directory>;
  /** What operators have said of backends. Rejects when the directory's Redis does not answer. */
  wordsOf: (config: Config) => Promise<ReadonlyMap<string, Word>>;
  /** Rejects when Redis does not answer. */
  openBackends: (config: Config) => Promise<OpenBackends>;
  /** Rejects when Redis does not answer. */
  openLeftOvers: (config: Config) => Promise<OpenLeftOvers>;
  /** Rejects when the events' Redis does not answer. */
  openBacklog: (config: Config) => Promise<OpenBacklog>;
  /** Rejects when the events' Redis does not answer. */
  openOrders: (config: Config) => Promise<OpenOrders>;
  /** Rejects when the events' Redis does not answer. */
  openMoves: (config: Config) => Promise<OpenMoves>;
  openUsage: (config: Config) => Promise<OpenUsage>;
  /** Rejects when the events' Redis does not answer. */
  openReplicas: (config: Config) => Promise<OpenReplicas>;
  openAudit: (config: Config) => Promise<KeptAudit & { close(): void }>;
  /** Rejects when a Redis does not answer. */
  openPlanning: (config: Config) => Promise<OpenPlanning>;
  /** Has the workers look into these names at once. Rejects when the events' Redis does not answer. */
  ring: (config: Config, names: readonly Bytes[]) => Promise<void>;
  /** What is known of the space of every backend, at an instant (in milliseconds since 1970). */
  placementFigures: (config: Config, now: number) => Promise<ServerFacts[]>;
  startRoles: (options: StartOptions) => Promise<Running>;
  /** Resolves when the process is asked to stop (SIGINT or SIGTERM). */
  stopAsked: () => Promise<unknown>;
  /** Calls back each time the process is asked to read its configuration again (SIGHUP). */
  onReload: (asked: () => void) => void;
}

/** Who gives the command, for records of it. */
export function operatorOf({ env }: Surroundings): string {
  return env['SUDO_USER'] ?? env['USER'] ?? 'operator';
}
