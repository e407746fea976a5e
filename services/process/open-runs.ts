// Opens what plans are started and followed with: runs, the moves of their trees, and the directory that plans are compared with.
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { Producer } from '../events/producer.ts';
import { QueueSet } from '../events/queue-set.ts';
import { MinuteFigures } from '../moves/minute-figures.ts';
import { MoveStore } from '../moves/move-store.ts';
import { RunStore } from '../moves/run-store.ts';
import type { RunSettings } from '../moves/starting.ts';
import type { OperatorsMoves } from '../operations/move-operations.ts';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { lookedAt } from './open-directory.ts';
import { eventsPlace, redisName } from './redis-access.ts';
import { registryOf } from './settings.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

export interface Runs {
  runs: RunStore;
  moves: MoveStore;
  /** What proxies and workers tell of the last minute. */
  figures: MinuteFigures;
  /** Resolves when Redis answers. */
  begun(): Promise<void>;
  close(): void;
}

/** Opens them whether or not Redis answers. */
export function openRuns(config: Config, hearer: ConnectionHearer = unheard): Runs {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const keep = config.moves.keep_done;
  return {
    ...{
      runs: new RunStore(redis, keep),
      moves: new MoveStore(redis, keep),
      figures: new MinuteFigures(redis, Date.now),
    },
    begun: () => connected(redis, patience),
    close() {
      redis.disconnect();
    },
  };
}

export function runSettings({ moves }: Config): RunSettings {
  const { failed, failed_percent: failedPercent, deferred, latency } = moves.stop_when;
  return {
    ...{ windows: moves.windows, drift: moves.plan_drift },
    stopWhen: { failed, failedPercent, deferred, latency },
  };
}

/** `20261127-171408-3f9a`: when it was started, and what tells it from another of the same second. */
export function newRunId(now = new Date()): string {
  const [date = '', time = ''] = now
    .toISOString()
    .replaceAll(/[-:]|\..*/g, '')
    .split('T');
  return `${date}-${time}-${randomBytes(2).toString('hex')}`;
}

/** What operators may ask of moves. */
export function operatorsMoves(
  config: Config,
  { runs, moves }: Pick<Runs, 'runs' | 'moves'>,
  directory: Pick<Directory, 'trees' | 'snapshot' | 'tree'>,
  ring: (run: string) => void,
): OperatorsMoves {
  const registry = registryOf(config);
  const starting = { directory, registry, settings: runSettings(config), ring, clock: Date.now, newId: newRunId };
  return { runs, moves, starting, ring, clock: Date.now };
}

export interface OpenMoves extends OperatorsMoves {
  close(): Promise<void>;
}

/** The same for one command of an operator. Rejects, naming the place, when the events' Redis does not answer. */
export async function openMovesNow(config: Config): Promise<OpenMoves> {
  const opened = openRuns(config);
  try {
    await opened.begun();
  } catch (error) {
    const hint = config.redis ? '' : '; it runs where `rookery up` runs, or set redis.url';
    throw new Error(`Redis does not answer at ${redisName(eventsPlace(config))}${hint}`, { cause: error });
  }
  const queues = new QueueSet(eventsPlace(config));
  await queues.connected();
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const producer = new Producer({ queues, log: silent });
  // Opened when a plan is started: only then it is asked.
  let directory: Promise<Directory> | undefined;
  const seen = () => (directory ??= lookedAt(config));
  const lazily: Pick<Directory, 'trees' | 'snapshot' | 'tree'> = {
    tree: async (tree) => (await seen()).tree(tree),
    snapshot: async () => (await seen()).snapshot(),
    async *trees(server) {
      const { walkTrees } = await import('../directory/tree-walk.ts');
      yield* walkTrees(await seen(), server);
    },
  };
  const ring = (run: string) => {
    producer.ring('plans', { run });
  };
  return {
    ...operatorsMoves(config, opened, lazily, ring),
    async close() {
      await producer.close();
      await queues.close();
      opened.close();
      if (directory) await (await directory).close();
    },
  };
}
