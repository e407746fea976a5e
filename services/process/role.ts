// What a role is given to start with, and what it gives back.
import type { Address, Registry } from '../backends/registry.ts';
import type { Counts } from '../changes/counts.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { NearCache } from '../directory/near-cache.ts';
import type { Times } from '../directory/rules.ts';
import type { Backlog } from '../events/backlog.ts';
import type { DeadLetters } from '../events/dead-letters.ts';
import type { RunningWorkers, WorkersStart } from '../events/processor.ts';
import type { Producer } from '../events/producer.ts';
import type { QueueSet } from '../events/queue-set.ts';
import type { QueueName } from '../events/queues.ts';
import type { SetAside } from '../events/set-aside.ts';
import type { TreeEvents } from '../events/tree-events.ts';
import type { WaitingJobs } from '../events/waiting-jobs.ts';
import type { QueueDemand } from '../events/demand.ts';
import type { KedaStart, RunningKeda, RunningScaling, ScalingStart } from '../events/scaling.ts';
import type { Check } from '../api/health.ts';
import type { UserForm } from '../placement/new-user.ts';
import type { Replicas } from '../replication/replicas.ts';
import type { ReplicaAccess } from '../replication/sync-client.ts';
import type { RoutingLeases } from '../directory/routing-lease.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Move } from '../moves/move.ts';
import type { Evacuation } from '../operations/evacuating.ts';
import type { Moves } from './open-moves.ts';
import type { Users } from './open-users.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { GaugeName, Sample } from '../metrics/gauges.ts';
import type { MailLog } from '../logging/mail-log.ts';
import type { Log } from './log.ts';
import type { RedisOutages } from './redis-outages.ts';

/** The queues of events, as roles have to do with them. */
export interface Events {
  producer: Producer;
  backlog: Backlog;
  deadLetters: DeadLetters;
  setAside: SetAside;
  waiting: WaitingJobs;
  /** Themselves, for bull-board. */
  queues: QueueSet;
  trees: TreeEvents;
  counts: Counts;
  replicas: Replicas;
  demand: (queue: QueueName) => Promise<QueueDemand>;
}

/** The workers lie outside the services, which do not use them: whoever composes the program brings them along. */
export type StartWorkers = (
  start: WorkersStart &
    Pick<Events, 'trees' | 'counts' | 'replicas'> & {
      directory: Directory;
      registry: Registry;
      times: Times;
      imapTimeout: number;
      /** The queues that are worked off on this machine, where none are named. */
      worked: readonly QueueName[];
      /** How the hosts of backends bring their replicas up to them, by the backend's name. */
      replication: { access: ReadonlyMap<string, ReplicaAccess>; unixhierarchysep: boolean };
      users: Pick<Users, 'orders' | 'history' | 'placing'> & { form: UserForm };
      moves: Omit<Moves, 'close'> & { ended: (move: Move) => void };
      /** Has backends emptied, run after run. */
      emptying: Pick<Evacuation, 'look'>;
      /** Has a worker look at the move of a name. */
      ringMove: (name: Bytes) => void;
      /** Has a worker look into the case of a name. */
      ringCase: (name: Bytes) => void;
      routing: Pick<RoutingLeases, 'held'>;
    },
) => Promise<RunningWorkers>;

/** The hands that carry out how many workers there should be. */
export interface ScalingHands {
  local: (start: ScalingStart) => Promise<RunningScaling>;
  keda: (start: KedaStart) => Promise<RunningKeda>;
}

/** What a command line may say of the role worker. */
export interface WorkersWish {
  queues?: readonly QueueName[] | undefined;
  /** In place of the configured number. */
  concurrency?: number | undefined;
  /** To work only until the queues have been empty for `idle` milliseconds, and to be gone after `deadline` of them. */
  drain?: { idle: number; deadline: number } | undefined;
}

export interface RoleStart {
  config: Config;
  directory: Directory;
  /** Who goes by what he remembers of it. */
  routing: Pick<RoutingLeases, 'held'>;
  registry: Registry;
  log: Log;
  /** Told of what connections to Redis go through. */
  outages: RedisOutages;
  mailLog: MailLog;
  metrics: Metrics;
  watch: (name: GaugeName, source: () => Iterable<Sample> | Promise<Iterable<Sample>>) => void;
  /** Whether every backend that must has been heard in this epoch. Rejects when the directory can't be asked. */
  trusted: () => Promise<boolean>;
  /** What is remembered of the directory, for whoever routes mail; begun when first asked for. */
  nearCache: () => Promise<NearCache>;
  /** The queues of events, opened when first asked for: not every role has to do with them. */
  events: () => Promise<Events>;
  workers: {
    start: StartWorkers;
    scaling: ScalingHands;
    wish: WorkersWish;
    /** What worker processes read their configuration from; undefined when there is no file. */
    configFile: string | undefined;
  };
  /** The name of this process as a directory node. */
  node: string;
  /** What /readyz looks at. */
  checks: Readonly<Record<string, Check>>;
  /** What it tells besides. A role may add a note of its own. */
  readonly notes: Record<string, Check>;
  /** How many processes the role lmtp is to have; this one is one of them where it is 1. */
  lmtpProcesses: number;
  /** This process shares its addresses of LMTP with others. */
  lmtpPart: boolean;
  /** How long work under way may take to end when the role is stopped, in milliseconds. */
  grace: number;
}

export interface StartedRole {
  /** What it speaks, for people. */
  name: string;
  /** Where it listens, with the ports that were chosen for 0. */
  addresses: Address[];
  /** What it does, where it listens nowhere. */
  works?: string;
  /** Where its work comes to an end by itself: resolves then, with a line for people. Never rejects. */
  done?: Promise<string>;
  /** What /readyz is to look at besides. */
  checks?: Readonly<Record<string, Check>>;
  /**
   * Makes ready to go on by another configuration, where the role can; resolves to what does so, and cannot fail. Rejects
   * when it can't be had: then all stays as it is.
   */
  prepare?(config: Config): Promise<() => void>;
  /** Accepts no more, ends what is under way within the grace, and closes. */
  stop(): Promise<void>;
}
