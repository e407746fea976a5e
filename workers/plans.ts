// The queue `plans`: conducts the runs of plans, and has backends emptied run after run. A run's job comes back each second while
// the run goes on; between, each move that ends has the next one begun at once.
import type { Conducting } from '../services/moves/conducting.ts';
import { emptiedBy } from '../services/moves/emptying.ts';
import type { Move } from '../services/moves/move.ts';
import type { Outcome, Processor } from '../services/events/processor.ts';

export interface PlansOptions {
  conducting: Pick<Conducting, 'look'>;
  /** Looks at a backend that is emptied. Left out: none is. */
  emptying?: { look(server: string): Promise<{ is: 'open' | 'over'; note: string }> };
  /** From one look of a run's job to the next, in milliseconds. */
  pause: number;
  log: { warn(fields: object, text: string): void };
}

/** From one look at a backend that is emptied to the next, in pauses: a run of it takes long. */
const pauses = 5;

export function plansProcessor({
  conducting,
  emptying,
  pause,
}: Pick<PlansOptions, 'conducting' | 'emptying' | 'pause'>): Processor<'plans'> {
  return async ({ run }) => {
    const server = emptiedBy(run);
    if (server !== undefined && emptying) return outcomeOf(await emptying.look(server), pauses * pause);
    return outcomeOf(await conducting.look(run), pause);
  };
}

function outcomeOf({ is, note }: { is: 'open' | 'over'; note: string }, pause: number): Outcome {
  return is === 'over' ? { is: 'done', note } : { is: 'later', note, pause };
}

/**
 * Told of each move that a worker of this process has ended: looks at its run at once, one look of a run at a time, and one
 * more after it where others have ended meanwhile. Should that fail, the run's job looks within a second.
 */
export function moveEnded({
  conducting,
  log,
}: Pick<PlansOptions, 'conducting' | 'log'>): (move: Pick<Move, 'run'>) => void {
  const looking = new Map<string, { again: boolean }>();
  const look = async (run: string) => {
    const state = { again: true };
    looking.set(run, state);
    try {
      while (state.again) {
        state.again = false;
        await conducting.look(run);
      }
    } catch (error) {
      log.warn({ err: error, run }, 'run: it could not be looked at when a move of it ended');
    } finally {
      looking.delete(run);
    }
  };
  return ({ run }) => {
    if (run === undefined) return;
    const now = looking.get(run);
    if (now) now.again = true;
    else void look(run);
  };
}
