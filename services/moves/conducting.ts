// Conducts runs: begins their moves as limits and windows allow, notes how they end, and stops a run by itself. Only what is
// kept counts: any look may be the first one after whoever looked before was killed, and several may look at once.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Move } from './move.ts';
import { Load, mayBegin } from './pacing.ts';
import { isOver, stopReason, turned } from './run.ts';
import type { RowEnd, Run, Weather } from './run.ts';
import type { Line } from './run-keys.ts';
import type { KeptRun, Pace, RunStore, UnderWay } from './run-store.ts';
import { isOpen, localTime } from './windows.ts';

/** What is asked of the moves themselves (move-store.ts). */
export interface KeptMoves {
  /** Keeps a new move, unless one of the same name is open. */
  place(move: Move): Promise<{ is: 'placed' } | { is: 'open'; move: Move }>;
  read(name: Bytes): Promise<{ move: Move; text: string } | undefined>;
  replace(kept: { move: Move; text: string }, move: Move): Promise<unknown>;
}

export interface ConductingOptions {
  runs: RunStore;
  moves: KeptMoves;
  /** Has a worker look at the move of a name. */
  ring: (name: Bytes) => void;
  /** Asked only of runs that stop by it. */
  weather: (servers: readonly string[]) => Promise<Weather>;
  /** Milliseconds since 1970. */
  clock: () => number;
  log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
}

/** What a look has found: the run is over, or goes on. */
export type Look = { is: 'over' | 'open'; note: string };

/** How often a look tries to begin moves when others begin some at the same time. */
const mostTries = 20;

export class Conducting {
  readonly #options: ConductingOptions;

  constructor(options: ConductingOptions) {
    this.#options = options;
  }

  /** Looks at a run, and does what there is to do now. */
  async look(id: string): Promise<Look> {
    const { runs } = this.#options;
    const kept = await runs.read(id);
    if (!kept) return { is: 'over', note: 'there is no such run' };
    if (isOver(kept.run) && kept.run.ended !== undefined) return { is: 'over', note: kept.run.why };
    await this.#settleAll(kept.run);
    const standing = await this.#stoppedIfDue(kept);
    if (!isOver(standing.run)) await this.#begin(standing);
    return this.#endedIfEmpty(id);
  }

  /** Notes what has become of all that is under way of a run; what was admitted and is nobody's yet is ordered. */
  async #settleAll(run: Run): Promise<void> {
    const { underWay } = await this.#options.runs.pace();
    await Promise.all(underWay.filter((one) => one.run === run.id).map((one) => this.#settle(one, run)));
  }

  async #settle(one: UnderWay, run: Run): Promise<void> {
    const { runs, moves, ring } = this.#options;
    const kept = await moves.read(one.name).catch(() => undefined);
    // Another time's move of the same row, or another's of the same name, says nothing of this one.
    if (!kept || kept.move.run !== run.id || kept.move.since !== one.since) {
      await this.#order(one, run);
      return;
    }
    const { move } = kept;
    if (move.state !== 'open') {
      if (await runs.settle(one, endOf(move))) this.#tell(one, move);
      return;
    }
    if (run.state !== 'cancelled' || move.cancelled) return;
    await moves.replace(kept, { ...move, cancelled: true });
    ring(one.name);
  }

  /** Has the workers move a tree that was admitted. */
  async #order(one: UnderWay, { id, by, state }: Run): Promise<void> {
    const { runs, moves, ring, clock } = this.#options;
    // Whoever was held up for long may have read it when it had not ended yet.
    if (!(await runs.isUnderWay(one))) return;
    const { name, from, to, octets, messages, since } = one;
    const move: Move = {
      ...{ name, from, to, by, since, run: id, state: 'open', cancelled: state === 'cancelled', attempts: 0 },
      ...{ octets, messages, times: {}, step: '', note: 'ordered' },
    };
    const placed = await moves.place(move);
    if (placed.is === 'placed' || (placed.move.run === id && placed.move.since === since)) {
      ring(name);
      return;
    }
    const whose =
      placed.move.run === undefined ? `ordered by ${readable(placed.move.by)}` : `of run ${placed.move.run}`;
    const note = `another move of it is under way, ${whose}`;
    await runs.settle(one, { state: 'refused', note, at: clock(), octets: 0, messages: 0, times: {} });
  }

  #tell({ run, index }: UnderWay, { name, state, note }: Move): void {
    const { log } = this.#options;
    const fields = { run, index, tree: readable(name), note };
    if (state === 'done') log.info(fields, 'run: a move is done');
    else if (state === 'back') log.info(fields, 'run: a move has gone back, for it was cancelled');
    else log.warn({ ...fields, state }, 'run: a move has failed');
  }

  /** The run as it is then; too much may have gone wrong. */
  async #stoppedIfDue(kept: KeptRun): Promise<KeptRun> {
    const { runs, log } = this.#options;
    const { run } = kept;
    if (run.state !== 'running') return kept;
    const { counts } = await runs.progress(run);
    const why = stopReason(run, counts, await this.#weatherOf(run));
    const stopped = why === undefined ? undefined : turned(run, { to: 'stopped', why }, counts);
    if (!stopped) return kept;
    const now = await runs.turn(kept, stopped);
    if (!now) return (await runs.read(run.id)) ?? kept;
    log.warn({ run: run.id, why }, 'run: it has stopped by itself');
    return now;
  }

  async #weatherOf({ id, stopWhen }: Run): Promise<Weather> {
    if (stopWhen.deferred === 0 && stopWhen.latency === 0) return {};
    const lines = await this.#options.runs.lines(id);
    return this.#options.weather([...new Set(lines.flatMap(({ from, to }) => [from.server, to.server]))]);
  }

  /** Begins what may begin now: of a run that is held up only what was tried again alone. */
  async #begin(kept: KeptRun): Promise<void> {
    const { runs, clock } = this.#options;
    const { run } = kept;
    const { alone = [] } = run;
    if (run.state !== 'running' && alone.length === 0) return;
    if (!isOpen(run.windows, localTime(clock()))) return;
    const lines = await runs.lines(run.id);
    for (let tries = 0; tries < mostTries; tries += 1) {
      const pace = await runs.pace();
      const now = clock();
      const waiting =
        run.state === 'running'
          ? await runs.waiting(run.id, withRoom(lines, run, pace))
          : await runs.waitingAmong(run.id, alone);
      const { begin, bucket } = mayBegin(waiting, pace.underWay, run.limits, pace.bucket, now);
      if (begin.length === 0) return;
      const begun = begin.map((row) => ({ ...row, since: now }));
      if (await runs.admit(kept, pace, bucket, begun)) {
        await this.#settleAll(run);
        return;
      }
      // Paused, say: then this is no run to begin moves of.
      if ((await runs.read(run.id))?.text !== kept.text) return;
    }
  }

  /** A run with nothing left is done; one that was cancelled is over when nothing is under way any more. */
  async #endedIfEmpty(id: string): Promise<Look> {
    const { runs, clock, log } = this.#options;
    const kept = await runs.read(id);
    if (!kept) return { is: 'over', note: 'there is no such run' };
    const { run } = kept;
    const { counts } = await runs.progress(run);
    const note = `${counts.moving} under way, ${counts.waiting} wait`;
    if (counts.moving > 0 || counts.waiting > 0) return { is: 'open', note };
    const why = run.state === 'cancelled' ? run.why : `${counts.done} of ${run.totals.moves} are moved`;
    const over = run.state === 'cancelled' ? run : turned(run, { to: 'done', why }, counts);
    const ended =
      over && (await runs.turn(kept, { ...over, ended: clock() }, run.state === 'cancelled' ? 'of moves' : 'of all'));
    if (!ended) return { is: 'open', note };
    log.info({ run: id, ...counts }, `run: it is ${ended.run.state}`);
    return { is: 'over', note: why };
  }
}

/** The lines in which the limits leave room, and how much. */
function withRoom(lines: readonly Line[], { limits }: Run, { underWay }: Pace): { line: number; most: number }[] {
  const load = new Load(underWay);
  return lines.map((line, at) => ({ line: at, most: load.room(line, limits) })).filter(({ most }) => most > 0);
}

function endOf(move: Move): RowEnd {
  const { note, octets, messages, times, state } = move;
  const at = times.ended ?? 0;
  return { state: state === 'open' ? 'stopped' : state, note, at, octets, messages, times };
}
