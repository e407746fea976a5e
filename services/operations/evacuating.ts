// Having everybody moved out of a backend that drains, run after run: what comes there meanwhile, and what could not be moved before.
// Only what is kept counts: any look may be the first one after whoever looked before was killed.
import { readable } from '../address/bytes.ts';
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { mostLeft } from '../moves/emptying.ts';
import type { Emptying } from '../moves/emptying.ts';
import type { EmptyingStore, KeptEmptying } from '../moves/emptying-store.ts';
import { treesText } from '../moves/plan.ts';
import type { LeftOut, Plan } from '../moves/plan.ts';
import { planHash } from '../moves/plan-text.ts';
import { failedOf, failedStates } from '../moves/run.ts';
import type { Run } from '../moves/run.ts';
import type { RunStore } from '../moves/run-store.ts';
import { startRun, UnfitRun } from '../moves/starting.ts';
import type { StartingOptions } from '../moves/starting.ts';
import type { MovePlanning } from './move-planning.ts';
import { Refusal } from './refusal.ts';

export interface EvacuationMeans {
  planning: MovePlanning;
  starting: Omit<StartingOptions, 'runs'>;
  runs: Pick<RunStore, 'start' | 'ofPlan' | 'list' | 'lines' | 'read' | 'progress' | 'rows'>;
  store: Pick<EmptyingStore, 'read' | 'replace'>;
  /** Who wants the backend emptied; undefined where nobody does (any more). */
  wanted: (server: string) => Promise<{ by: string } | undefined>;
  /** Has a worker look at the backend. */
  ring: (server: string) => void;
  /** Milliseconds since 1970. */
  clock: () => number;
}

/** `open`: there is more to do, soon. `over`: for now; whoever rings next has it looked at again. */
export interface Look {
  is: 'open' | 'over';
  note: string;
}

/** How many runs are looked at: those that are not over are among the newest. */
const mostRuns = 1000;

/** How many that cannot be moved are named in a refusal. */
const mostNamed = 3;

/** So many rows of a run are looked at for what has failed. */
const mostRows = 1000;

/** Whoever has chosen a run's id and not started it within so many milliseconds never will. */
const longestStart = 60_000;

export class Evacuation {
  readonly #means: EvacuationMeans;

  constructor(means: EvacuationMeans) {
    this.#means = means;
  }

  /**
   * By an operator's word: the first run, or the next one where it was stuck. Gives the run; undefined where there is nobody to
   * move. Rejects with a Refusal, as unsafe where another run moves trees from there, or nobody of those who are there can be
   * moved; both are looked at again while it drains.
   */
  async begin(server: string, by: string): Promise<string | undefined> {
    const kept = await this.#means.store.read(bytesFromText(server));
    const begun = this.#begun(server, bytesFromText(by));
    const other = await this.#openRun(server);
    if (other !== undefined) {
      const note = `run ${other} moves trees from ${server}, and is not over`;
      if (kept.emptying?.run !== other) await this.#keep(kept, { ...begun, run: other, note });
      this.#means.ring(server);
      throw new Refusal('unsafe', `${note}: watch it, or cancel it; what is left after it is moved, too`);
    }
    const now = await this.#round(kept, begun).catch((error: unknown) => {
      if (error instanceof UnfitRun) throw new Refusal('unsafe', error.message, { cause: error });
      throw error;
    });
    this.#means.ring(server);
    if (now.state !== 'waiting') return now.state === 'moving' ? now.run : undefined;
    const named = now.left.slice(0, mostNamed).map(({ name, why }) => `${readable(name)}: ${why}`);
    const what = `${server} drains, but none of ${treesText(now.leftTrees)} can be moved now`;
    throw new Refusal('unsafe', `${what} (${named.join('; ')}); that is looked at again each minute`);
  }

  /** Looks how far it is, and begins the next run where the last one is over and has moved something. */
  async look(server: string): Promise<Look> {
    const { store } = this.#means;
    const [wanted, kept] = [await this.#means.wanted(server), await store.read(bytesFromText(server))];
    if (!wanted) {
      if (kept.text !== '') await store.replace(bytesFromText(server), kept, undefined);
      return { is: 'over', note: `${server} is not to be emptied any more` };
    }
    const now = kept.emptying ?? this.#begun(server, bytesFromText(wanted.by));
    if (now.state === 'stuck') return { is: 'over', note: now.note };
    return (await this.#underWay(kept, now)) ?? this.#next(kept, now);
  }

  #begun(server: string, by: Bytes): Emptying {
    const at = this.#means.clock();
    const left = { leftTrees: 0, left: [] };
    return { server: bytesFromText(server), state: 'moving', by, since: at, rounds: 0, at, note: '', ...left };
  }

  /** What there is to wait for, or to stop at; undefined where the next run may begin. */
  async #underWay(kept: KeptEmptying, now: Emptying): Promise<Look | undefined> {
    const { runs, clock } = this.#means;
    if (now.state !== 'moving' || now.run === undefined) return undefined;
    const run = (await runs.read(now.run))?.run;
    if (!run && clock() - now.at < longestStart) return { is: 'open', note: `run ${now.run} is about to begin` };
    if (!run) return undefined;
    if (run.ended === undefined) return this.#noted(kept, now, underWayText(run));
    const again = `rookery backend drain ${readable(now.server)} --move goes on`;
    if (run.state === 'cancelled') return this.#stuck(kept, now, `run ${run.id} was cancelled: ${again}`);
    const { counts } = await runs.progress(run);
    if (counts.done > 0 || failedOf(counts) === 0) return undefined;
    const failed = (await runs.rows(run, 0, mostRows)).filter(({ state }) => failedStates.includes(state));
    const left = failed.map(({ name, end }) => ({ name, why: end?.note ?? '' }));
    const note = `run ${run.id} has moved nothing, ${failedOf(counts)} have failed: look at them; ${again}`;
    return this.#stuck(kept, { ...now, leftTrees: failedOf(counts), left: left.slice(0, mostLeft) }, note);
  }

  async #noted(kept: KeptEmptying, now: Emptying, note: string): Promise<Look> {
    if (now.note !== note) await this.#keep(kept, { ...now, note });
    return { is: 'open', note };
  }

  async #stuck(kept: KeptEmptying, now: Emptying, note: string): Promise<Look> {
    await this.#keep(kept, { ...now, state: 'stuck', note });
    return { is: 'over', note };
  }

  /** The next run, as far as one can be had. */
  async #next(kept: KeptEmptying, now: Emptying): Promise<Look> {
    const other = await this.#openRun(textFromBytes(now.server));
    if (other !== undefined) {
      const waiting = { ...now, state: 'moving' as const, run: other };
      return this.#noted(kept, waiting, `run ${other} moves trees from there, and is not over`);
    }
    try {
      const { state, note } = await this.#round(kept, now);
      return { is: state === 'moving' ? 'open' : 'over', note };
    } catch (error) {
      // Somebody else plans at this moment, or much has changed while this was planned.
      if (error instanceof UnfitRun || error instanceof Refusal) return { is: 'open', note: error.message };
      throw error;
    }
  }

  /** Plans, and starts what can be moved. The run's id is kept before it is started: nobody starts another one meanwhile. */
  async #round(kept: KeptEmptying, before: Emptying): Promise<Emptying> {
    const { planning, starting, runs, clock } = this.#means;
    const { server, by } = before;
    const query = { users: [], evacuate: server, to: [], sizes: true, limits: {} };
    const plan = await planning.plan(query, textFromBytes(by));
    const left = leftOf(plan.leftOut);
    if (plan.moves.length === 0) {
      const { run: _, ...rest } = before;
      return this.#keep(kept, { ...rest, ...left, ...restingOf(plan) });
    }
    const id = starting.newId();
    const note = `run ${id} moves ${treesText(plan.moves.length)}`;
    const next = { ...before, ...left, state: 'moving' as const, run: id, rounds: before.rounds + 1, note };
    const held = await this.#keep(kept, next);
    if (held.run !== id) return held;
    await startRun(plan, planHash(plan), {}, by, { ...starting, runs, clock, newId: () => id });
    return held;
  }

  /** As it is kept then: whoever was faster has it his way. */
  async #keep(kept: KeptEmptying, next: Emptying): Promise<Emptying> {
    const { store, clock } = this.#means;
    const written = { ...next, at: clock() };
    if (await store.replace(next.server, kept, written)) return written;
    return (await store.read(next.server)).emptying ?? written;
  }

  async #openRun(server: string): Promise<string | undefined> {
    return (await openRunsAt(server, this.#means.runs)).find(({ from }) => from)?.id;
  }
}

/** What is kept where nothing can be moved. */
function restingOf({ leftOut }: Plan): Pick<Emptying, 'state' | 'note'> {
  if (leftOut.length === 0) return { state: 'empty', note: 'nothing is left there; whoever comes is moved, too' };
  return {
    state: 'waiting',
    note: `${treesText(leftOut.length)} can't be moved now, and are looked at again each minute`,
  };
}

function leftOf(leftOut: readonly LeftOut[]): Pick<Emptying, 'leftTrees' | 'left'> {
  return { leftTrees: leftOut.length, left: leftOut.slice(0, mostLeft) };
}

function underWayText({ id, state, why }: Run): string {
  if (state === 'running') return `run ${id} is running; what is left after it is moved, too`;
  return `run ${id} is ${state} (${why}): rookery move resume ${id}, or cancel it`;
}

/** Runs that are not over and have trees to move from a server, or to it. */
export async function openRunsAt(
  server: string,
  runs: Pick<RunStore, 'list' | 'lines'>,
): Promise<{ id: string; from: boolean }[]> {
  const name = bytesFromText(server);
  const open = (await runs.list(mostRuns)).filter(({ ended }) => ended === undefined);
  const found = await Promise.all(
    open.map(async ({ id }) => {
      const lines = await runs.lines(id);
      const from = lines.some((line) => line.from.server === name);
      return from || lines.some((line) => line.to.server === name) ? [{ id, from }] : [];
    }),
  );
  return found.flat();
}
