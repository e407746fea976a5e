// Opens what plans are started and followed with: runs, the moves of their trees, and the directory that plans are compared with.
import { randomBytes } from 'node:crypto';
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { Producer } from '../events/producer.ts';
import { QueueSet } from '../events/queue-set.ts';
import { rowStates, runStates } from '../moves/run.ts';
import type { RunStore } from '../moves/run-store.ts';
import type { RunSettings } from '../moves/starting.ts';
import type { OperatorsMoves } from '../operations/move-operations.ts';
import { lookedAt } from './open-directory.ts';
import { openMoves } from './open-moves.ts';
import type { Moves } from './open-moves.ts';
import { eventsPlace, redisName } from './redis-access.ts';
import type { RoleStart } from './role.ts';
import { registryOf } from './settings.ts';

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
  { runs, store: moves }: Pick<Moves, 'runs' | 'store'>,
  { directory, registry }: { directory: Pick<Directory, 'trees' | 'snapshot' | 'tree'>; registry: Registry },
  ring: (run: string) => void,
): OperatorsMoves {
  const starting = { directory, registry, settings: runSettings(config), ring, clock: Date.now, newId: newRunId };
  return { runs, moves, starting, ring, clock: Date.now };
}

interface OpenMoves extends OperatorsMoves {
  close(): Promise<void>;
}

/** The same for one command of an operator. Rejects, naming the place, when the events' Redis does not answer. */
export async function openMovesNow(config: Config): Promise<OpenMoves> {
  const opened = openMoves(config);
  try {
    await opened.store.begun();
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
    ...operatorsMoves(config, opened, { directory: lazily, registry: registryOf(config) }, ring),
    async close() {
      await producer.close();
      await queues.close();
      opened.close();
      if (directory) await (await directory).close();
    },
  };
}

/** How many runs are looked at for the gauges. */
const mostRuns = 100;

/** Has the gauges of runs that are not over read. */
export function watchRuns(runs: Pick<RunStore, 'list' | 'progress'>, watch: RoleStart['watch']): void {
  const open = async () => (await runs.list(mostRuns)).filter((run) => run.ended === undefined);
  watch('rookery_runs', async () => {
    const all = await open();
    return runStates.map((state) => [all.filter((run) => run.state === state).length, state]);
  });
  watch('rookery_moves', async () => {
    const all = await Promise.all((await open()).map((run) => runs.progress(run)));
    return rowStates.map((state) => [all.reduce((sum, { counts }) => sum + counts[state], 0), state]);
  });
}
