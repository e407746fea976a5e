// Every processor there is, given what it needs, and run until stopped.
import { ImapAdmins } from '../services/backends/imap-admins.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { Times } from '../services/directory/rules.ts';
import type { Counts } from '../services/changes/counts.ts';
import { unreadable } from '../services/changes/tally.ts';
import { replicaQueue } from '../services/events/queues.ts';
import type { QueueName } from '../services/events/queues.ts';
import type { Processor, Processors, RunningWorkers, WorkersStart } from '../services/events/processor.ts';
import { treeProcessor } from '../services/events/tree-drain.ts';
import type { ApplyTreeEvents } from '../services/events/tree-drain.ts';
import type { TreeEvents } from '../services/events/tree-events.ts';
import type { MinuteFigures } from '../services/metrics/minute-figures.ts';
import type { Replicas } from '../services/replication/replicas.ts';
import { SyncClient } from '../services/replication/sync-client.ts';
import type { ReplicaAccess } from '../services/replication/sync-client.ts';
import type { UserForm } from '../services/placement/new-user.ts';
import type { UsageHistory } from '../services/placement/usage-history.ts';
import type { OrderStore } from '../services/users/order-store.ts';
import type { Placing } from '../services/users/placing.ts';
import { Conducting } from '../services/moves/conducting.ts';
import type { MoveDriver } from '../services/moves/driver.ts';
import { timed } from '../services/moves/timed-driver.ts';
import type { FindingStore } from '../services/moves/finding-store.ts';
import type { RunStore } from '../services/moves/run-store.ts';
import type { Bytes } from '../services/directory/entry.ts';
import type { ManifestStore } from '../services/moves/manifest-store.ts';
import type { Move } from '../services/moves/move.ts';
import type { MoveStore } from '../services/moves/move-store.ts';
import type { MoveTools } from '../services/moves/tools.ts';
import type { RoutingLeases } from '../services/directory/routing-lease.ts';
import { startWorkers } from './host.ts';
import { defaultPauses } from './move-work.ts';
import type { MoveSettings } from './move-work.ts';
import { seeToCases } from './move-cases.ts';
import { movesProcessor } from './moves.ts';
import { placementProcessor } from './placement.ts';
import { moveEnded, plansProcessor } from './plans.ts';
import type { PlansOptions } from './plans.ts';
import { reconcileProcessor } from './reconcile.ts';
import { ReplicaGate } from './replica-gate.ts';
import { replicationProcessor } from './replication.ts';
import { usageProcessor } from './usage.ts';
import { userServers } from './user-servers.ts';

export interface ServeStart extends WorkersStart {
  directory: Directory;
  registry: Registry;
  times: Times;
  /** For the login at a backend by IMAP, and for each question to it, in milliseconds. */
  imapTimeout: number;
  trees: TreeEvents;
  counts: Counts;
  replicas: Replicas;
  /** The queues that are worked off on this machine, where none are named. */
  worked: readonly QueueName[];
  /** How the hosts of backends bring their replicas up to them, by the backend's name. */
  replication: { access: ReadonlyMap<string, ReplicaAccess>; unixhierarchysep: boolean };
  /** Orders of users, what is known of the backends' space, and how a place is chosen by it. */
  users: {
    orders: OrderStore;
    history: UsageHistory;
    placing: (registry: Registry, admins: ImapAdmins, counts: Counts) => Placing;
    form: UserForm;
  };
  /** Where moves are kept, with what they are carried out, and who is told of each that is over. */
  moves: {
    store: MoveStore;
    manifests: ManifestStore;
    findings: FindingStore;
    tools: MoveTools;
    settings: MoveSettings;
    ended: (move: Move) => void;
    /** Their plans, and what they are stopped by. */
    runs: RunStore;
    figures: MinuteFigures;
  };
  /** Has backends emptied, run after run. */
  emptying: NonNullable<PlansOptions['emptying']>;
  /** Has a worker look at the move of a name. */
  ringMove: (name: Bytes) => void;
  /** Has a worker look into the case of a name. */
  ringCase: (name: Bytes) => void;
  /** Who goes by what he remembers of the directory. */
  routing: Pick<RoutingLeases, 'held'>;
}

/** How events of a tree are applied again that could not be, in milliseconds: soon at first, then once a minute. */
const pause = { first: 1_000, longest: 60_000 };

/** From one look at a run to the next, in milliseconds, where no move of it ends. */
const planPause = 1_000;

/** How many open moves are looked at for the room that they will take: more are never under way. */
const mostOpen = 10_000;

/** How many events of a tree are counted at once, and how many trees a job works on at a time: what is asked of Redis goes together. */
const atOnce = { batch: 100, trees: 10 };

export function serve(start: ServeStart): RunningWorkers {
  const { directory, registry, times, imapTimeout, trees, counts, replicas, lostAfter, users, log } = start;
  const admins = new ImapAdmins(registry, imapTimeout);
  const placer = users.placing(registry, admins, counts);
  const servers = userServers({ registry, admins, form: users.form });
  const counted: ApplyTreeEvents = async (work) => {
    for (const server of await counts.apply(work)) await placer.counted(work.tree, server);
  };
  const conducting = conductingOf(start);
  const driver = driverOf(start, admins);
  const stopping = new AbortController();
  const processors: Processors = {
    reconcile: reconcileProcessor({ directory, registry, admins, times, moves: start.moves.store, log }),
    moves: movesOf(start, driver, conducting),
    plans: plansProcessor({ conducting, emptying: start.emptying, pause: planPause }),
    placement: placementProcessor({
      ...{ directory, registry, orders: users.orders, servers, placer, log },
      ...{ moves: start.moves.store, findings: start.moves.findings },
    }),
    usage: usageProcessor({ registry, admins, history: users.history, log }),
    // What comes after a change makes no sense without it: a tree waits while Redis can't count it. What nobody can read is
    // waited for by nobody: the count is without it until the tree is told as a whole again.
    counts: treeProcessor({
      ...{ lists: trees.lists('counts'), apply: counted, poison: 'wait', unreadable, ...atOnce, lostAfter, pause, log },
    }),
    replication: treeProcessor({
      ...{ lists: trees.lists('replication'), apply: replicas.apply, poison: 'wait', ...atOnce, lostAfter, pause, log },
    }),
    ...replications(start, stopping.signal),
  };
  const workers = startWorkers({ ...start, queues: start.queues ?? start.worked, processors });
  return {
    queues: workers.queues,
    get busy() {
      return workers.busy;
    },
    async stop() {
      await workers.stop();
      stopping.abort();
      await driver.close?.();
      await admins.close();
    },
  };
}

function conductingOf({ moves: { runs, store: moves, figures }, ringMove: ring, log }: ServeStart): Conducting {
  const weather = (servers: readonly string[]) => figures.weather(servers);
  return new Conducting({ runs, moves, ring, weather, clock: Date.now, log });
}

function driverOf({ directory, registry, moves }: ServeStart, admins: ImapAdmins): MoveDriver {
  const { tools, settings, figures, store } = moves;
  const { cutTimeout: timeout, copyAbove } = settings;
  const open = async () => store.readAll(await store.open(mostOpen));
  const { copies } = directory;
  const driver = tools.driver({ registry, admins, copies, timeout, open, ...(copyAbove && { copyAbove }) });
  return timed(driver, (server, took) => {
    figures.answered(server, took);
  });
}

function movesOf(start: ServeStart, driver: MoveDriver, conducting: Conducting): Processor<'moves'> {
  const { directory, routing, registry, moves, log } = start;
  const { store, manifests, findings, tools, settings } = moves;
  const next = moveEnded({ conducting, log });
  const ended = (move: Move) => {
    moves.ended(move);
    next(move);
    void seeToCases(move, { directory, driver, times: start.times, ring: start.ringCase, log });
  };
  return movesProcessor({
    ...{ directory, routing, registry, moves: store, manifests, findings, driver },
    ...{
      differences: tools.differences,
      remarks: tools.remarks,
      settings,
      pauses: defaultPauses,
      clock: Date.now,
      ended,
      log,
    },
  });
}

/** A processor for the replica of each backend: a worker may be told to work off a queue that is not named for its machine. */
function replications(start: ServeStart, stopped: AbortSignal): Processors {
  const { replication, directory, registry, log } = start;
  const { unixhierarchysep } = replication;
  const all = Array.from(replication.access, ([backend, access]) => {
    const sync = new SyncClient(access);
    const look = async (signal: AbortSignal) => {
      const { is, note } = await sync.reaches(signal);
      return is === 'well' ? undefined : note;
    };
    const gate = new ReplicaGate({ backend, look, pause, stopped, log });
    const witnesses = registry.witnesses();
    const options = { backend, sync, gate, directory, witnesses, unixhierarchysep };
    return [replicaQueue(backend), replicationProcessor(options)] as const;
  });
  return Object.fromEntries(all);
}
