// rookery move plan: has moves planned, shows what they come to, and writes the plan into a file for rookery move start.
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Plan } from '../moves/plan.ts';
import { rehashed, UnfitPlanFile } from '../moves/plan-file.ts';
import { planLines } from '../moves/plan-text.ts';
import { mostAtATime, mostBytesPerSecond } from '../moves/run.ts';
import type { MovePlanning, PlanningQuery } from '../operations/move-planning.ts';
import { Refusal } from '../operations/refusal.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, octets, upTo, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { writePlan } from './move-plan-file.ts';
import { planSummary } from './move-plan-view.ts';
import { namesIn } from './names-file.ts';
import type { NameLine } from './names-file.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withPlanning } from './with-operations.ts';

interface Options extends ApiOptions, FormatOption {
  file?: string;
  pattern?: string;
  evacuate?: string;
  rebalance?: number | true;
  to?: string[];
  zone?: string;
  tag?: string[];
  sizes: boolean;
  limitTotal?: number;
  limitPerSource?: number;
  limitPerDestination?: number;
  limitPerPartition?: number;
  limitBytes?: number;
  output?: string;
  force?: true;
  rehash?: string;
}

/** Servers are brought to within so many percent of each other, unless it is said. */
const usualBound = 5;

function percent(text: string): number {
  const number = Number(text);
  if (/^\d{1,3}(\.\d{1,3})?$/.test(text) && number > 0 && number <= 100) return number;
  throw new InvalidArgumentError('It must be a number of percent above 0, up to 100.');
}

function bytesPerSecond(text: string): number {
  const number = octets(text);
  if (number > mostBytesPerSecond) throw new InvalidArgumentError(`It must be at most ${mostBytesPerSecond}.`);
  return number;
}

const limitOption = (name: string, what: string) =>
  new Option(`--limit-${name} <number>`, `at most so many at a time ${what} (default: moves.limits)`).argParser(
    upTo(mostAtATime),
  );

function planOptions(command: Command): Command {
  return withOptions(command, [
    new Option(
      '--file <file>',
      'the users and shared mailboxes in this file, one a line; - is standard input, # begins a remark',
    ),
    new Option(
      '--pattern <pattern>',
      'users and shared mailboxes whose names fit: * for anything, % up to the next dot',
    ),
    new Option('--evacuate <server>', 'all that is on this server'),
    new Option(
      '--rebalance [percent]',
      `as little as brings all servers within so many percent of each other (${usualBound})`,
    ).argParser(percent),
    new Option(
      '-t, --to <place...>',
      'to SERVER or SERVER!PARTITION, or to the best of several (default: placement chooses)',
    ),
    new Option('-z, --zone <zone>', 'to a server of this zone; * for any (default: the zone that they are in)'),
    new Option('--tag <tag...>', 'to a server with these tags'),
    new Option('--no-sizes', 'do not ask the servers how large anything is'),
    ...[limitOption('total', 'in all'), limitOption('per-source', 'from one server')],
    ...[limitOption('per-destination', 'to one server'), limitOption('per-partition', 'from or to one partition')],
    new Option('--limit-bytes <number>', 'at most so many bytes a second, as 50M (default: moves.limits)').argParser(
      bytesPerSecond,
    ),
    new Option('-o, --output <file>', 'write the plan into this file; - is standard output'),
    new Option('--force', 'also where the file is there already'),
    new Option(
      '--rehash <file>',
      'plan nothing, but make a plan valid again that was edited by hand, each line checked',
    ),
    ...[formatOption(), ...whereOptions()],
  ]);
}

const examples = `
Without -o the plan is only shown; -f json prints it.
Exit codes: 65 nothing can be moved, or what is named is wrong.

Examples:
  rookery move plan jdoe jane@example.org --to mail8 -o two.plan
  rookery move plan projects.x +news.local --to mail8    # shared mailboxes
  rookery move plan --evacuate mail7 -o mail7.plan
  rookery move plan --evacuate mail7 -o - | rookery move start - --yes --watch
  rookery move plan --pattern "example.org!user.%" --to mail8!fast mail9!fast -o org.plan
  rookery move plan --rebalance 3 -o level.plan
  rookery move plan --rehash mail7.plan`;

export function movePlanCommand(surroundings: Surroundings): Command {
  return planOptions(new Command('plan'))
    .description('plan moves, with sizes, order and duration; nothing is moved by it')
    .argument(
      '[names...]',
      'users: jdoe, jdoe@example.org or user.jdoe; shared mailboxes: projects.x, or +projects.x where there is such a user, too',
    )
    .addHelpText('after', examples)
    .action(async (names: string[], options: Options) => {
      if (options.rehash !== undefined) {
        const { pattern, evacuate, rebalance, file, to, output } = options;
        if (names.length > 0 || [pattern, evacuate, rebalance, file, to, output].some((one) => one !== undefined))
          throw new Refusal('usage', '--rehash makes a file valid, and plans nothing: no more may be asked with it');
        await rehash(options.rehash, surroundings);
        return;
      }
      const lines = options.file === undefined ? [] : await namesIn(options.file);
      const query = queryOf([...names.map(bytesFromText), ...lines.map(({ name }) => name)], options);
      const by = operatorOf(surroundings);
      const plan = await withPlanning(options, surroundings, (planning) =>
        planned(planning, { query, by, file: options.file ?? '', lines }),
      );
      await tell(plan, options, surroundings);
      const nothing = nothingText(plan, query);
      if (nothing !== undefined) throw new CommandError(exit.data, nothing);
    });
}

/** Why a plan is not what was asked for; a server that is empty, and servers that are level, need no moves. */
function nothingText({ moves, leftOut }: Plan, { users, pattern, rebalance }: PlanningQuery): string | undefined {
  if (moves.length > 0 || rebalance !== undefined) return undefined;
  if (leftOut.length > 0 || users.length > 0) return 'nothing can be moved: each reason stands above';
  return pattern === undefined
    ? undefined
    : `nothing can be moved: no user or shared mailbox fits ${readable(pattern)}`;
}

function queryOf(users: readonly Bytes[], options: Options): PlanningQuery {
  const { pattern, evacuate, rebalance, to = [], zone, tag: tags, sizes } = options;
  const { limitTotal, limitPerSource, limitPerDestination, limitPerPartition, limitBytes } = options;
  const bytes = (text: string | undefined) => (text === undefined ? undefined : bytesFromText(text));
  return {
    ...{ users, pattern: bytes(pattern), evacuate: bytes(evacuate), to: to.map(bytesFromText), zone, tags, sizes },
    rebalance: rebalance === true ? usualBound : rebalance,
    limits: {
      ...(limitTotal !== undefined && { total: limitTotal }),
      ...(limitPerSource !== undefined && { perSource: limitPerSource }),
      ...(limitPerDestination !== undefined && { perDestination: limitPerDestination }),
      ...(limitPerPartition !== undefined && { perPartition: limitPerPartition }),
      ...(limitBytes !== undefined && { bytesPerSecond: limitBytes }),
    },
  };
}

/** How many lines that are wrong are named. */
const mostFaults = 20;

interface Asking {
  query: PlanningQuery;
  by: string;
  file: string;
  /** Those of the file, which stand behind all others in the query. */
  lines: readonly NameLine[];
}

/** Where lines of the file are refused, with their numbers. */
async function planned(planning: MovePlanning, { query, by, file, lines }: Asking): Promise<Plan> {
  try {
    return await planning.plan(query, by);
  } catch (error) {
    if (!(error instanceof Refusal) || error.fields.length === 0) throw error;
    const before = query.users.length - lines.length;
    const faults = error.fields.map(({ field, value }) => {
      const line = lines[Number(/^users\.(\d+)$/.exec(field)?.[1]) - before]?.line;
      return line === undefined ? value : `${file}, line ${line}: ${value}`;
    });
    const more = faults.length > mostFaults ? [`and ${faults.length - mostFaults} more`] : [];
    const may = `A name may be ${error.fields[0]?.expected ?? ''}`;
    const text = ['nothing is planned:', ...faults.slice(0, mostFaults), ...more, may].join('\n  ');
    throw new Refusal(error.kind, text, { cause: error });
  }
}

async function tell(plan: Plan, { output, force, format }: Options, { out, err }: Surroundings): Promise<void> {
  if (output === '-') {
    for (const line of planLines(plan)) out(line);
    planSummary(plan).forEach(err);
    return;
  }
  if (output !== undefined) await writePlan(plan, output, force === true);
  if (format === 'json') {
    if (output === undefined) for (const line of planLines(plan)) out(line);
    return;
  }
  planSummary(plan).forEach(out);
  if (output !== undefined) err(`rookery: the plan is in ${output}`);
}

async function rehash(file: string, surroundings: Surroundings): Promise<void> {
  try {
    const content = await readFile(file, 'utf8');
    const plan = rehashed(content, { by: bytesFromText(operatorOf(surroundings)), at: Date.now() });
    await writePlan(plan, file, true);
    surroundings.out(`${file}: valid, with ${plan.moves.length} moves`);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const text = (error as Error).message;
    const what = error instanceof UnfitPlanFile ? `${file}: ${text}` : `${file} cannot be read: ${text}`;
    throw new CommandError(exit.data, what, { cause: error });
  }
}
