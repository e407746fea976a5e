// rookery placement: where new users would go.
import { Command, InvalidArgumentError, Option } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { SimulatedPlace, SimulationValue } from '../operations/placement-simulation.ts';
import { modes } from '../placement/selection.ts';
import type { Mode } from '../placement/selection.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeNumber, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { explainPlacement } from './placement-explanation.ts';
import { tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withFigures, withUsers } from './with-operations.ts';

interface Options extends ApiOptions, FormatOption {
  users: number;
  seed: number;
  processes: number;
  zone?: string;
  tag?: string[];
  mode?: Mode;
}

function seed(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at most 9 digits.');
  return Number(text);
}

function simulateOptions(command: Command): Command {
  return withOptions(command, [formatOption(), ...whereOptions()])
    .addOption(new Option('-u, --users <number>', 'so many').argParser(wholeNumber).makeOptionMandatory())
    .addOption(new Option('-z, --zone <zone>', 'for users who are to be in this zone'))
    .addOption(new Option('-t, --tag <tag...>', 'for users who need servers with these tags'))
    .addOption(new Option('-m, --mode <mode>', 'select servers like that, whatever is configured').choices(modes))
    .addOption(
      new Option('-p, --processes <number>', 'so many Cyrus processes, each of which looks once')
        .argParser(wholeNumber)
        .default(8),
    )
    .addOption(new Option('-s, --seed <number>', 'another seed, another chance').argParser(seed).default(1));
}

function simulateCommand(surroundings: Surroundings): Command {
  return simulateOptions(new Command('simulate'))
    .description(
      'tell where so many new users would go if they came now, how full that would make the servers (each taking placement.promised_space), and beside it what Cyrus would do',
    )
    .addHelpText(
      'after',
      '\nExit codes: 65 no server can take them.\n\nExamples:\n  rookery placement simulate --users 5000\n  rookery placement simulate --users 5000 --zone berlin --mode freespace-percent-most -f json',
    )
    .action(async (options: Options) => {
      const { users, processes, seed, zone, tag: tags, mode } = options;
      const query = { users, processes, seed, zone, tags, mode };
      const result = await withFigures(options, surroundings, (placement) => placement.simulate(query));
      (options.format === 'json' ? [JSON.stringify(result)] : linesOf(result)).forEach(surroundings.out);
      if (result.places.some((place) => place.users > 0)) return;
      throw new CommandError(exit.data, result.refused.map(({ reason }) => reason).join('; '));
    });
}

const columns = ['server', 'partition', 'total', 'free', 'used', 'users', 'free then', 'used then'];

function linesOf({ mode, promised_space_kib, processes, places, out, ...none }: SimulationValue): string[] {
  const rows = places.map((place) => [
    ...[place.server, place.partition || '-', spaceOf(place, place.total_kib), spaceOf(place, place.available_kib)],
    ...[percent(place.used_percent), String(place.users), spaceOf(place, place.available_then_kib)],
    ...[percent(place.used_then_percent), String(place.cyrus_users ?? 0), percent(place.cyrus_used_then_percent)],
  ]);
  return [
    `Servers are selected by ${mode}; a user takes ${space(promised_space_kib)}.`,
    ...tableLines({ columns: [...columns, 'Cyrus: users', 'used then'], rows }),
    `Cyrus: ${processes} processes, each with the figures that it read first.`,
    ...out.map(({ server, reason = '' }) => `${server} gets nobody: ${reason}`),
    ...reasonLines('no place for', none.refused),
    ...reasonLines('no place by Cyrus for', none.cyrus_refused),
  ];
}

function reasonLines(heading: string, refused: SimulationValue['refused']): string[] {
  return refused.map(({ users, reason }) => `${heading} ${users}: ${reason}`);
}

/** Of a server whose space is not known nothing is. */
function spaceOf({ total_kib }: SimulatedPlace, KiB: number): string {
  return total_kib === 0 ? '-' : space(KiB);
}

function space(KiB: number): string {
  const gib = KiB / 1_048_576;
  return `${gib.toFixed(Math.abs(gib) < 10 ? 1 : 0)} GiB`;
}

function percent(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(1)}%`;
}

function explain(surroundings: Surroundings): Command {
  return withOptions(new Command('explain'), [formatOption(), ...whereOptions()])
    .description('show why a user went where he is: the figures, promises and chances of the last decision on him')
    .argument('<name>', 'the user')
    .addHelpText(
      'after',
      '\nExit codes: 65 no decision is known (any more).\n\nExamples:\n  rookery placement explain jdoe',
    )
    .action(async (text: string, options: ApiOptions & FormatOption) => {
      const user = bytesFromText(text);
      const decision = await withUsers(options, surroundings, ({ placement }) => placement.explain(user));
      (options.format === 'json' ? [JSON.stringify(decision)] : explainPlacement(decision)).forEach(surroundings.out);
    });
}

export function placementCommand(surroundings: Surroundings): Command {
  return new Command('placement')
    .description('where new users go')
    .addCommand(explain(surroundings))
    .addCommand(simulateCommand(surroundings));
}
