// rookery move watch: a run as it goes on, as one bar on a terminal, as plain lines elsewhere.
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { treesText } from '../moves/plan.ts';
import { isOpen, localTime } from '../moves/windows.ts';
import { followRun } from '../operations/following-run.ts';
import type { MoveOperations } from '../operations/move-operations.ts';
import { Refusal } from '../operations/refusal.ts';
import type { EndValue, WholeRunValue } from '../operations/run-value.ts';
import type { ApiOptions } from './api-client.ts';
import { whereOptions, withOptions } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { durationText, failuresOf, isAtItsEnd, passedOf, runCode, sizeText, speedText } from './move-view.ts';
import type { Surroundings, Terminal } from './surroundings.ts';
import { withMoves } from './with-operations.ts';

/** How often it is looked at, in milliseconds. */
const lookEvery = 1000;

/** How often plain lines tell how far it is, in milliseconds. */
const lineEvery = 10_000;

const barWidth = 30;

/** How many of the newest runs are looked at for moves that are under way. */
const mostRuns = 100;

/** How many moves under way are shown below the bar. */
const mostShown = 10;

/** How long nothing may happen before that is told, in milliseconds. */
const usualPatience = 30_000;

/** How long a silence of whom it asks is waited out, in milliseconds: a run goes on without whoever watches it. */
const longestSilence = 600_000;

/**
 * Shows a run until it is over, or has stopped by itself; gives it as it is then. Where no worker takes it within `patience`
 * milliseconds that is told once.
 */
export async function watchRun(
  moves: MoveOperations,
  id: string,
  { out, err, terminal }: Pick<Surroundings, 'out' | 'err' | 'terminal'>,
  patience = usualPatience,
): Promise<WholeRunValue> {
  const screen = terminal ? new Bar(terminal) : new Lines(out);
  // What ended before is in the figures, and in the report.
  let last = await moves.show(id);
  let until: number | undefined = Date.now() + patience;
  for await (const news of followRun(outlasting(moves, err), id, { after: last.ends, every: lookEvery })) {
    if (news.is === 'end') {
      screen.ended(news.end);
      continue;
    }
    last = news.run;
    screen.progress(last);
    if (isBegun(last)) until = undefined;
    if (until !== undefined && Date.now() >= until && mayBegin(last)) {
      until = undefined;
      if (!(await othersMove(moves, id)))
        err('rookery: no worker has taken it: a process with the role worker does (rookery up, or rookery run worker)');
    }
    if (isAtItsEnd(last)) break;
  }
  screen.over(last);
  return last;
}

/** The same, asked again while what is needed does not answer, which is told once each time. */
function outlasting(
  { show, ends }: Pick<MoveOperations, 'show' | 'ends'>,
  err: (line: string) => void,
): Pick<MoveOperations, 'show' | 'ends'> {
  const lasting =
    <G extends unknown[], T>(ask: (...given: G) => Promise<T>) =>
    async (...given: G): Promise<T> => {
      for (let since: number | undefined; ;) {
        try {
          return await ask(...given);
        } catch (error) {
          if (!isSilence(error) || Date.now() - (since ?? Date.now()) > longestSilence) throw error;
          if (since === undefined)
            err(`rookery: ${error.message}; the run goes on without this command, which asks again`);
          since ??= Date.now();
          await pause(lookEvery);
        }
      }
    };
  return { show: lasting(show), ends: lasting(ends) };
}

/** Whether something that is needed does not answer now: Redis, or the API. */
function isSilence(error: unknown): error is Error {
  if (error instanceof Refusal) return error.kind === 'unavailable';
  return error instanceof CommandError && error.exitCode === exit.unavailable;
}

/** What a move says that nobody has looked at yet. */
const untouched = 'ordered';

/** Whether a worker has taken a step of it. */
function isBegun({ ends, counts, under_way: moves }: WholeRunValue): boolean {
  return ends > counts.skipped || moves.some(({ note }) => note !== untouched);
}

/** Whether a worker would begin its moves at this time. */
function mayBegin({ state, windows }: WholeRunValue): boolean {
  return state === 'running' && isOpen(windows, localTime(Date.now()));
}

/** Whether other runs have moves under way, so that limits may leave no room. */
async function othersMove(moves: MoveOperations, id: string): Promise<boolean> {
  return (await moves.list(mostRuns)).some(({ run, counts }) => run !== id && counts.moving > 0);
}

interface Screen {
  ended(end: EndValue): void;
  progress(run: WholeRunValue): void;
  over(run: WholeRunValue): void;
}

function isFailure({ state }: EndValue): boolean {
  return state !== 'done' && state !== 'skipped' && state !== 'dropped';
}

function endText({ name, state, note }: EndValue): string {
  return `${name}: ${state}: ${note}`;
}

/** `1234 of 10000 trees, 3 failed, 8 under way, 12.3 GB of 96.0 GB, 56/min, 2h 14m left`. */
export function progressText(run: WholeRunValue): string {
  const [failed, back] = [failuresOf(run), run.counts.back];
  const speed = speedText(run);
  return [
    `${passedOf(run)} of ${treesText(run.moves)}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(back > 0 ? [`${back} back`] : []),
    ...(run.counts.dropped > 0 ? [`${run.counts.dropped} dropped`] : []),
    ...[`${run.counts.moving} under way${waitText(run)}`, `${sizeText(run.octets_moved)} of ${sizeText(run.octets)}`],
    ...(speed === '' ? [] : [speed]),
    ...(run.state === 'running' ? windowText(run) : [`${run.state}: ${run.why}`]),
  ].join(', ');
}

/** ` (2 wait: mail3 does not answer)`: what most of those wait for that wait. */
function waitText({ under_way: moves }: WholeRunValue): string {
  const notes = moves.flatMap(({ step, note }) => (step === 'wait' ? [note] : []));
  const count = (note: string) => notes.filter((one) => one === note).length;
  const [most] = notes.toSorted((one, other) => count(other) - count(one));
  return most === undefined ? '' : ` (${notes.length} wait: ${most})`;
}

/** A run that does nothing says why it may. */
function windowText({ counts, windows }: WholeRunValue): string[] {
  const isIdle = counts.moving === 0 && counts.waiting > 0;
  return isIdle && windows.length > 0 ? [`moves begin at ${windows.join(', ')} only`] : [];
}

class Lines implements Screen {
  readonly #out: (line: string) => void;
  #told = 0;
  #state = '';

  constructor(out: (line: string) => void) {
    this.#out = out;
  }

  ended(end: EndValue): void {
    if (isFailure(end)) this.#out(endText(end));
  }

  progress(run: WholeRunValue): void {
    if (run.state === this.#state && Date.now() - this.#told < lineEvery) return;
    this.#told = Date.now();
    this.#state = run.state;
    this.#out(progressText(run));
  }

  over(run: WholeRunValue): void {
    this.#out(`${run.run}: ${run.state}: ${run.why}`);
  }
}

/** Drawn again and again at the same place; what failed scrolls away above it. */
class Bar implements Screen {
  readonly #terminal: Terminal;
  #height = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  ended(end: EndValue): void {
    if (isFailure(end)) this.#draw([endText(end)], []);
  }

  progress(run: WholeRunValue): void {
    const shown = run.under_way.slice(0, mostShown).map(({ name, to, step, begun }) => {
      const since =
        begun === undefined ? '' : `  ${durationText(Math.max(0, (Date.now() - Date.parse(begun)) / 1000))}`;
      return `  ${name} -> ${to}  ${step}${since}`;
    });
    const more = run.under_way.length - shown.length;
    this.#draw([], [barText(run), progressText(run), ...shown, ...(more > 0 ? [`  and ${more} more`] : [])]);
  }

  over(run: WholeRunValue): void {
    this.#draw([`${run.run}: ${run.state}: ${run.why}`], []);
  }

  /** In place of what was drawn last: lines that stay, and such as are drawn over. */
  #draw(stay: readonly string[], over: readonly string[]): void {
    const { columns, write } = this.#terminal;
    const fitted = over.map((line) =>
      Array.from(line)
        .slice(0, Math.max(1, columns - 1))
        .join(''),
    );
    const up = this.#height > 0 ? `\x1b[${this.#height}A\r\x1b[J` : '';
    write(up + [...stay, ...fitted].map((line) => `${line}\n`).join(''));
    this.#height = fitted.length;
  }
}

/** `[######........................]  20.0 %`. */
export function barText(run: Pick<WholeRunValue, 'counts' | 'moves'>): string {
  const share = run.moves === 0 ? 1 : passedOf(run) / run.moves;
  const full = Math.floor(share * barWidth);
  return `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}] ${(Math.floor(share * 1000) / 10).toFixed(1).padStart(5)} %`;
}

export function watchCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  return withOptions(new Command('watch'), whereOptions())
    .description('watch a run until it is over, or has stopped by itself')
    .argument('<run>', 'the run')
    .addHelpText(
      'after',
      '\nExit codes: 0 all trees are moved, 65 it is done and some are not, 75 it was cancelled or has stopped, or could not be\nasked for 10 minutes.\n\nExamples:\n  rookery move watch 20261127-171408-3f9a',
    )
    .action(async (id: string, options: ApiOptions) => {
      end(runCode(await withMoves(options, surroundings, (moves) => watchRun(moves, id, surroundings))));
    });
}
