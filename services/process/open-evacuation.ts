// Opens what backends are emptied with: for workers, who go on with it, and for whoever tells that one is to be emptied.
import { LifecycleStore } from '../backends/lifecycle-store.ts';
import type { Words } from '../backends/lifecycle-store.ts';
import type { Counts } from '../changes/counts.ts';
import type { Config } from '../config/schema.ts';
import { emptyingJob } from '../moves/emptying.ts';
import { Evacuation } from '../operations/evacuating.ts';
import type { OperatorsMoves } from '../operations/move-operations.ts';
import type { MovePlanning } from '../operations/move-planning.ts';
import { commandConnection } from '../redis/connection.ts';
import type { Moves } from './open-moves.ts';
import { planningBeside } from './open-planning.ts';
import { operatorsMoves } from './open-runs.ts';
import { onPlanning } from './operations.ts';
import { redisPlace } from './redis-access.ts';
import type { RoleStart } from './role.ts';

interface Parts {
  planning: MovePlanning;
  rung: Pick<OperatorsMoves, 'starting' | 'ring' | 'clock'>;
  moves: Pick<Moves, 'runs' | 'emptying'>;
  /** What operators say of backends, read at that moment. */
  words: () => Promise<Pick<Words, 'words'>>;
}

export function evacuationOf({ planning, rung, moves, words }: Parts): Evacuation {
  const { starting, clock } = rung;
  return new Evacuation({
    ...{ planning, starting, runs: moves.runs, store: moves.emptying, clock },
    wanted: async (server) => {
      const word = (await words()).words.get(server);
      return word?.empties ? { by: word.by } : undefined;
    },
    ring: (server) => {
      rung.ring(emptyingJob(server));
    },
  });
}

interface WorkersParts {
  moves: Moves;
  counts: Counts;
  /** Has a worker conduct a run. */
  ring: (run: string) => void;
}

/** For the workers of a process, whether or not Redis answers. */
export function openEvacuation(
  { config, directory, registry, outages }: Pick<RoleStart, 'config' | 'directory' | 'registry' | 'outages'>,
  { moves, counts, ring }: WorkersParts,
): Pick<Evacuation, 'look'> & { close(): Promise<void> } {
  const planning = planningBeside(config, { directory, registry, counts }, outages.of('events'));
  const rung = operatorsMoves(config, moves, { directory, registry }, ring);
  const said = openWords(config, outages);
  const evacuation = evacuationOf({ planning: onPlanning(planning, config), rung, moves, words: said.words });
  return {
    look: (server) => evacuation.look(server),
    async close() {
      said.close();
      await planning.close();
    },
  };
}

function openWords(config: Config, outages: RoleStart['outages']): { words: Parts['words']; close(): void } {
  const commandTimeout = config.directory.redis_timeout * 1000;
  const redis = commandConnection({ place: redisPlace(config), commandTimeout, ...outages.of('directory') });
  const store = new LifecycleStore(redis);
  return {
    words: () => store.all(),
    close: () => {
      redis.disconnect();
    },
  };
}
