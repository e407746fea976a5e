// rookery move start: a plan begins, and is watched where that is wanted.
import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { Command, InvalidArgumentError } from 'commander';
import { UnfitPlanFile, readPlan } from '../moves/plan-file.ts';
import { treesText } from '../moves/plan.ts';
import type { Plan } from '../moves/plan.ts';
import { mostAtATime, mostBytesPerSecond } from '../moves/run.ts';
import type { Limits, StopWhen } from '../moves/run.ts';
import type { RunWish } from '../moves/starting.ts';
import { windowOf, windowWords } from '../moves/windows.ts';
import type { CheckedValue } from '../operations/move-operations.ts';
import { Refusal } from '../operations/refusal.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { durationText, runCode, sizeText } from './move-view.ts';
import { watchRun } from './move-watch.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withMoves } from './with-operations.ts';

type Options = ApiOptions &
  FormatOption & {
    limit?: Partial<Limits>;
    window?: string[];
    stopWhen?: Partial<StopWhen>;
    again?: true;
    yes?: true;
    watch?: true;
  };

const limitNames: Readonly<Record<string, keyof Limits>> = {
  ...{ total: 'total', source: 'perSource', destination: 'perDestination', partition: 'perPartition' },
  bytes: 'bytesPerSecond',
};

/** `total=4,source=2,bytes=50M`. */
function limitsOf(text: string, before: Partial<Limits> = {}): Partial<Limits> {
  const limits = { ...before };
  for (const word of text.split(',')) {
    const [, name = '', number = '', unit = ''] = /^([a-z]+)=(\d{1,15})([kMG]?)$/.exec(word) ?? [];
    const limit = limitNames[name];
    const value = Number(number) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[unit as '' | 'k' | 'M' | 'G'];
    const [least, most] = name === 'bytes' ? [0, mostBytesPerSecond] : [1, mostAtATime];
    if (limit && value > most) throw new InvalidArgumentError(`'${word}' may be ${name}=${most} at most.`);
    if (!limit || value < least || (name !== 'bytes' && unit !== ''))
      throw new InvalidArgumentError(
        `'${word}' may be total=, source=, destination= or partition= with a number, or bytes=50M.`,
      );
    limits[limit] = value;
  }
  return limits;
}

const stopNames: Readonly<Record<string, keyof StopWhen>> = {
  ...{ failed: 'failed', percent: 'failedPercent', deferred: 'deferred', latency: 'latency' },
};

/** `failed=5,percent=10,deferred=100,latency=2.5`. */
function stopWhenOf(text: string, before: Partial<StopWhen> = {}): Partial<StopWhen> {
  const bounds = { ...before };
  for (const word of text.split(',')) {
    const [, name = '', number = '', rest] = /^([a-z]+)=(\d{1,9})(\.\d{1,3})?$/.exec(word) ?? [];
    const bound = stopNames[name];
    const value = Number(`${number}${rest ?? ''}`);
    if (bound && value > (name === 'latency' ? 3600 : 1_000_000))
      throw new InvalidArgumentError(`'${word}' may be ${name}=${name === 'latency' ? 3600 : 1_000_000} at most.`);
    if (!bound || (rest !== undefined && bound !== 'latency') || (bound === 'failedPercent' && value > 100))
      throw new InvalidArgumentError(
        `'${word}' may be failed= or deferred= with a number, percent= with one up to 100, or latency= with seconds; 0 is not looked at.`,
      );
    bounds[bound] = value;
  }
  return bounds;
}

function windowsOf(text: string, before: string[] = []): string[] {
  if (!windowOf(text)) throw new InvalidArgumentError(`It may be ${windowWords}.`);
  return [...before, text];
}

async function read(file: string): Promise<{ text: string; plan: Plan }> {
  try {
    const text = file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8');
    return { text, plan: readPlan(text) };
  } catch (error) {
    const what = error instanceof UnfitPlanFile ? '' : ' cannot be read';
    throw new CommandError(exit.data, `${file}${what}: ${(error as Error).message}`, { cause: error });
  }
}

/** What it would do, for whoever has not said that it may. */
function told({ totals, asked, servers, limits }: Plan): string[] {
  return [
    `${asked}: ${treesText(totals.moves)}, ${sizeText(totals.octets)}, about ${durationText(totals.seconds)}, between ${servers.join(', ')}`,
    `${limits.total} at a time, ${limits.perSource} a source, ${limits.perDestination} a destination`,
  ];
}

/** How many trees that have changed are shown. */
const mostShown = 10;

/** What has changed since it was made, and what follows from that. */
function changes({ moves, skipped, came, percent, plan_drift: most, ...trees }: CheckedValue): string[] {
  if (skipped === 0 && came === 0) return ['nothing of it has changed since it was made'];
  const bound = `${percent.toFixed(1)} % of the plan has changed since it was made; moves.plan_drift is ${most} %`;
  return [
    bound,
    ...(skipped > 0 ? [`skipped: ${treesText(skipped)}; moved: ${treesText(moves)}`] : []),
    ...treeLines(trees.skipped_trees, skipped),
    ...(came > 0 ? [`have come since, and are not in the plan: ${treesText(came)}`] : []),
    ...treeLines(trees.came_trees, came),
  ];
}

function treeLines(trees: CheckedValue['came_trees'], all: number): string[] {
  const shown = trees.slice(0, mostShown).map(({ name, why }) => `  ${name}: ${why}`);
  return all > shown.length ? [...shown, `  and ${all - shown.length} more`] : shown;
}

function wishOf({ limit, window, stopWhen, again }: Options): RunWish {
  return {
    ...(limit && { limits: limit }),
    ...(window && { windows: window }),
    ...(stopWhen && { stopWhen }),
    again: again ?? false,
  };
}

export function startCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  return withOptions(new Command('start'), [formatOption(), ...whereOptions()])
    .description('start a plan: workers move its trees, as limits and windows of time allow')
    .argument('<plan>', 'the file that rookery move plan has made, or - for standard input')
    .option(
      '-l, --limit <limits>',
      "in place of the plan's: total=4,source=2,destination=2,partition=2,bytes=50M",
      limitsOf,
    )
    .option('--window <window>', `when moves may begin, in place of moves.windows: ${windowWords}`, windowsOf)
    .option(
      '--stop-when <bounds>',
      'when it stops by itself, in place of moves.stop_when: failed=5,percent=10,deferred=100,latency=2; 0: not looked at',
      stopWhenOf,
    )
    .option('--again', 'though the plan has a run that is over')
    .option('--watch', 'watch it until it is over')
    .option(
      '-y, --yes',
      'do it; without, it is only told what would be done, and what has changed since the plan was made',
    )
    .addHelpText(
      'after',
      '\nA window goes by the clock of the host: one that lies in the hour that is left out when clocks go forward does not open that day.\n\nExit codes: 65 it is no plan, or was edited, 75 nothing is started: without --yes, or it has a run, or too much has changed since it was made. With --watch those of watch.\n\nExamples:\n  rookery move start evacuate.json --yes\n  rookery move start evacuate.json --yes --limit total=4,bytes=50M --window "mon-fri 22:00-06:00"\n  rookery move plan --evacuate mail7 -o - | rookery move start - --yes --watch',
    )
    .action(async (file: string, options: Options) => {
      const { text, plan } = await read(file);
      if (plan.moves.length === 0) throw new CommandError(exit.data, `${file}: the plan moves nothing`);
      const wish = wishOf(options);
      if (!options.yes) {
        const checked = await withMoves(options, surroundings, (moves) => moves.check(text, wish));
        if (options.format === 'json') surroundings.out(JSON.stringify(checked));
        else [...told(plan), ...changes(checked)].forEach(surroundings.out);
        throw new Refusal('unsafe', checked.refused ?? 'nothing is started: --yes does it');
      }
      await withMoves(options, surroundings, async (moves) => {
        const run = await moves.start(text, wish, operatorOf(surroundings));
        surroundings.out(options.format === 'json' ? JSON.stringify(run) : `run ${run.run}: ${run.why}`);
        if (options.watch) end(runCode(await watchRun(moves, run.run, surroundings)));
      });
    });
}
