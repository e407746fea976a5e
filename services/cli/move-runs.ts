// rookery move list, show, pause, resume, cancel, retry, report: what is asked of runs, and of the moves of single trees.
import { Command, Option } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { MoveOperations } from '../operations/move-operations.ts';
import { csvLine, reportColumns } from '../operations/report-csv.ts';
import type { ReportRow, RunValue } from '../operations/run-value.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeNumber, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { movePairs, movesTable, reportTable, runPairs, runsTable } from './move-view.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withMoves } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

type NameOptions = Options & { base64url?: true };

/** What is no text can't be written on a command line. */
const base64urlOption = () =>
  new Option('--base64url', 'the name is written so, as name_base64url in a plan: for one that is not UTF-8');

function nameIn(text: string, { base64url }: NameOptions): Bytes {
  if (!base64url) return bytesFromText(text);
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new CommandError(exit.usage, `'${text}' is no base64url`);
  return Buffer.from(text, 'base64url').toString('latin1');
}

const none = "\nExit codes: 65 there is no such run, 75 it can't be as it is now.";

export function listCommand(surroundings: Surroundings): Command {
  return withOptions(new Command('list'), [formatOption(), ...whereOptions()])
    .description('list the runs of plans, the newest first')
    .addOption(new Option('-n, --limit <number>', 'at most so many').argParser(wholeNumber).default(20))
    .addHelpText('after', '\nExamples:\n  rookery move list')
    .action(async (options: Options & { limit: number }) => {
      const runs = await withMoves(options, surroundings, (moves) => moves.list(options.limit));
      const lines = () => (runs.length === 0 ? ['no plan was started'] : tableLines(runsTable(runs)));
      (options.format === 'json' ? jsonLines(runs) : lines()).forEach(surroundings.out);
    });
}

export function showCommand(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [base64urlOption(), formatOption(), ...whereOptions()])
    .description('show a run with what is under way, or the last move of one tree')
    .argument('<run or name>', 'the run, or the root of a tree: user.jdoe')
    .addHelpText(
      'after',
      `${none}\n\nExamples:\n  rookery move show 20261127-171408-3f9a\n  rookery move show user.jdoe`,
    )
    .action(async (text: string, options: NameOptions) => {
      const lines = await withMoves(options, surroundings, (moves) => shown(text, options, moves));
      lines.forEach(surroundings.out);
    });
}

async function shown(text: string, options: NameOptions, moves: MoveOperations): Promise<string[]> {
  const { format, base64url = false } = options;
  if (base64url || !isRunId(text)) {
    const move = await moves.of(nameIn(text, options));
    return format === 'json' ? [JSON.stringify(move)] : pairLines(movePairs(move));
  }
  const run = await moves.show(text);
  if (format === 'json') return [JSON.stringify(run)];
  const moving = run.under_way.length === 0 ? [] : ['', ...tableLines(movesTable(run.under_way))];
  return [...pairLines(runPairs(run)), ...moving];
}

/** No mailbox is called so that could be moved: it would have to be a shared one at the top. */
function isRunId(text: string): boolean {
  return /^\d{8}-\d{6}-[0-9a-f]{4}$/.test(text);
}

function turning(
  { verb, what, example }: { verb: 'pause' | 'resume' | 'cancel'; what: string; example: string },
  surroundings: Surroundings,
): Command {
  return withOptions(new Command(verb), [formatOption(), ...whereOptions()])
    .description(what)
    .argument('<run>', 'the run')
    .addHelpText('after', `${none}\n\nExamples:\n  ${example}`)
    .action(async (id: string, options: Options) => {
      const by = operatorOf(surroundings);
      told(await withMoves(options, surroundings, (moves) => moves[verb](id, by)), options, surroundings);
    });
}

function told(run: RunValue, { format }: Options, { out }: Surroundings): void {
  out(format === 'json' ? JSON.stringify(run) : `run ${run.run}: ${run.state}: ${run.why}`);
}

const id = '20261127-171408-3f9a';

export function turnCommands(surroundings: Surroundings): Command[] {
  return [
    turning(
      {
        ...{ verb: 'pause', what: 'begin no more moves of a run; what has begun ends' },
        example: `rookery move pause ${id}`,
      },
      surroundings,
    ),
    turning(
      {
        ...{ verb: 'resume', what: 'go on with a run that was paused, or has stopped by itself' },
        example: `rookery move resume ${id}`,
      },
      surroundings,
    ),
    turning(
      {
        ...{ verb: 'cancel', what: 'begin no more moves of a run, for good; what is before its cut goes back' },
        example: `rookery move cancel ${id}`,
      },
      surroundings,
    ),
  ];
}

export function retryCommand(surroundings: Surroundings): Command {
  return withOptions(new Command('retry'), [base64urlOption(), formatOption(), ...whereOptions()])
    .description('have the failed moves of a run tried again, or one of them')
    .argument('<run>', 'the run')
    .argument('[name]', 'the root of the one tree: user.jdoe')
    .addHelpText(
      'after',
      `\nA run that has stopped by itself goes on then. With a name it does not: one that is stopped or paused stays so, and this one\ntree is moved, as limits and windows allow.\n${none}\n\nExamples:\n  rookery move retry ${id}\n  rookery move retry ${id} user.jdoe`,
    )
    .action(async (run: string, text: string | undefined, options: NameOptions) => {
      const [name, by] = [text === undefined ? undefined : nameIn(text, options), operatorOf(surroundings)];
      const tried = await withMoves(options, surroundings, (moves) => moves.retry(run, name, by));
      surroundings.out(options.format === 'json' ? JSON.stringify(tried) : triedLine(tried));
    });
}

function triedLine({ run: { run, state, counts }, again }: Awaited<ReturnType<MoveOperations['retry']>>): string {
  const others = Math.max(0, counts.waiting - again);
  const rest = others === 0 ? '' : state === 'running' ? `, and goes on: ${others} more wait` : `: ${others} more wait`;
  return `run ${run}: ${again} ${again === 1 ? 'is' : 'are'} tried again; it is ${state}${rest}`;
}

/** How many rows are asked for at once. */
const page = 1000;

type ReportFormat = 'table' | 'json' | 'csv';

export function reportCommand(surroundings: Surroundings): Command {
  const formats: readonly ReportFormat[] = ['table', 'json', 'csv'];
  return withOptions(new Command('report'), whereOptions())
    .description('report what became of each tree of a run, in the order of the plan')
    .argument('<run>', 'the run')
    .addOption(new Option('-f, --format <format>', 'how to show it').choices(formats).default('table'))
    .addHelpText(
      'after',
      `${none}\n\nExamples:\n  rookery move report ${id}\n  rookery move report ${id} -f csv > report.csv`,
    )
    .action(async (run: string, options: ApiOptions & { format: ReportFormat }) => {
      const { out } = surroundings;
      if (options.format === 'csv') out(csvLine(reportColumns).trimEnd());
      const rows: ReportRow[] = [];
      await withMoves(options, surroundings, async (moves) => {
        for await (const row of reported(run, moves)) {
          if (options.format === 'json') out(JSON.stringify(row));
          else if (options.format === 'csv') out(csvLine(reportColumns.map((column) => row[column])).trimEnd());
          else rows.push(row);
        }
      });
      if (options.format === 'table') tableLines(reportTable(rows)).forEach(out);
    });
}

async function* reported(run: string, moves: MoveOperations): AsyncGenerator<ReportRow> {
  for (let from: number | undefined = 0; from !== undefined;) {
    const { rows, next }: { rows: ReportRow[]; next?: number | undefined } = await moves.report(run, from, page);
    yield* rows;
    from = next;
  }
}
