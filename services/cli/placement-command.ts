// rookery placement: where new users would go.
import { Command, InvalidArgumentError, Option } from 'commander';
import { readable } from '../address/bytes.ts';
import { seededChance } from '../placement/chance.ts';
import type { ConsideredServer } from '../placement/considering.ts';
import { decide } from '../placement/decision.ts';
import type { Facts } from '../placement/facts.ts';
import type { Policy } from '../placement/policy.ts';
import { modes } from '../placement/selection.ts';
import type { Mode } from '../placement/selection.ts';
import { levels, simulate, simulateCyrus } from '../placement/simulation.ts';
import type { Level, Outcome } from '../placement/simulation.ts';
import { placementPolicy } from '../process/placement-settings.ts';
import { configOf, configOption, formatOption, wholeNumber } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { explainPlacement } from './placement-explanation.ts';
import { tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { inboxOf } from './user-said.ts';
import { withOrders } from './with-orders.ts';

interface Options extends ConfigOption, FormatOption {
  users: number;
  seed: number;
  processes: number;
  zone?: string;
  tag?: string[];
  mode?: Mode;
}

/** A place, and what the two algorithms would make of it. */
interface Row {
  ours: Level;
  cyrus: Level | undefined;
}

interface Result {
  mode: Mode;
  rows: Row[];
  /** Servers that get nobody from the first one on. */
  out: ConsideredServer[];
  refused: Outcome['refused'];
  refusedByCyrus: Outcome['refused'];
}

function seed(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at most 9 digits.');
  return Number(text);
}

function simulateOptions(command: Command): Command {
  return command
    .addOption(new Option('-u, --users <number>', 'so many').argParser(wholeNumber).makeOptionMandatory())
    .addOption(new Option('-z, --zone <zone>', 'for users who are to be in this zone'))
    .addOption(new Option('-t, --tag <tag...>', 'for users who need servers with these tags'))
    .addOption(new Option('-m, --mode <mode>', 'select servers like that, whatever is configured').choices(modes))
    .addOption(
      new Option('-p, --processes <number>', 'so many Cyrus processes, each of which looks once')
        .argParser(wholeNumber)
        .default(8),
    )
    .addOption(new Option('-s, --seed <number>', 'another seed, another chance').argParser(seed).default(1))
    .addOption(formatOption())
    .addOption(configOption());
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
      const config = configOf(options, surroundings);
      const configured = placementPolicy(config);
      const mode = options.mode ?? configured.servers.mode;
      const policy = { ...configured, servers: { ...configured.servers, mode } };
      const now = Date.now();
      const servers = await surroundings.placementFigures(config, now);
      const result = resultOf({ now, servers }, policy, options);
      (options.format === 'json' ? jsonOf(result) : linesOf(result, policy, options)).forEach(surroundings.out);
      if (placedIn(result.rows) > 0) return;
      throw new CommandError(exit.data, Array.from(result.refused.keys()).join('; '));
    });
}

function resultOf(facts: Facts, policy: Policy, { users, processes, seed, zone, tag: tags }: Options): Result {
  const wish = { zone, tags };
  const ours = simulate(facts, policy, { users, wish, chance: seededChance(seed) });
  const cyrus = simulateCyrus(facts, lookingOnce(policy), { users, processes, chance: seededChance(seed) });
  const byCyrus = levels(facts.servers, cyrus, policy.promisedKiB);
  const rows = levels(facts.servers, ours, policy.promisedKiB).map((level, at) => ({
    ours: level,
    cyrus: byCyrus[at],
  }));
  const { servers } = decide({ name: 'the first', ...wish }, facts, policy, seededChance(seed));
  const out = servers.filter((server) => server.out !== undefined);
  return { mode: policy.servers.mode, rows, out, refused: ours.refused, refusedByCyrus: cyrus.refused };
}

/** As Cyrus is unless it is told otherwise: its usage_reinit is 0. */
function lookingOnce(policy: Policy): Policy {
  const once = { usageReinit: 0 };
  return { ...policy, servers: { ...policy.servers, ...once }, partitions: { ...policy.partitions, ...once } };
}

function placedIn(rows: readonly Row[]): number {
  return rows.reduce((sum, { ours }) => sum + ours.users, 0);
}

const columns = ['server', 'partition', 'total', 'free', 'used', 'users', 'free then', 'used then'];

function linesOf(
  { mode, rows, out, refused, refusedByCyrus }: Result,
  policy: Policy,
  { processes }: Options,
): string[] {
  const cells = rows.map(({ ours, cyrus }) => [
    ...[
      ours.server,
      ours.partition || '-',
      spaceOf(ours, ours.totalKiB),
      spaceOf(ours, ours.availableKiB),
      percent(ours.fill),
    ],
    ...[String(ours.users), spaceOf(ours, ours.afterKiB), percent(ours.fillAfter)],
    ...[String(cyrus?.users ?? 0), percent(cyrus?.fillAfter)],
  ]);
  return [
    `Servers are selected by ${mode}; a user takes ${space(policy.promisedKiB)}.`,
    ...tableLines({ columns: [...columns, 'Cyrus: users', 'used then'], rows: cells }),
    `Cyrus: ${processes} processes, each with the figures that it read first.`,
    ...out.map(({ name, out: reason = '' }) => `${name} gets nobody: ${reason}`),
    ...reasonLines('no place for', refused),
    ...reasonLines('no place by Cyrus for', refusedByCyrus),
  ];
}

function reasonLines(heading: string, refused: Outcome['refused']): string[] {
  return Array.from(refused, ([reason, users]) => `${heading} ${users}: ${reason}`);
}

/** Of a server whose space is not known nothing is. */
function spaceOf({ totalKiB }: Level, KiB: number): string {
  return totalKiB === 0 ? '-' : space(KiB);
}

function space(KiB: number): string {
  const gib = KiB / 1_048_576;
  return `${gib.toFixed(Math.abs(gib) < 10 ? 1 : 0)} GiB`;
}

function percent(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(1)}%`;
}

/** An object a place, and one about those who found none. */
function jsonOf({ mode, rows, out, refused, refusedByCyrus }: Result): string[] {
  const places = rows.map(({ ours, cyrus }) => ({
    ...{ server: ours.server, partition: ours.partition, total_kib: ours.totalKiB, available_kib: ours.availableKiB },
    ...{ users: ours.users, available_then_kib: ours.afterKiB, used_percent: ours.fill },
    ...{ used_then_percent: ours.fillAfter, cyrus_users: cyrus?.users, cyrus_used_then_percent: cyrus?.fillAfter },
  }));
  const left = out.map(({ name, out: reason }) => ({ server: name, reason }));
  return [JSON.stringify({ mode, places, out: left, refused: told(refused), cyrus_refused: told(refusedByCyrus) })];
}

function told(refused: Outcome['refused']): object[] {
  return Array.from(refused, ([reason, users]) => ({ users, reason }));
}

function explain(surroundings: Surroundings): Command {
  return new Command('explain')
    .description('show why a user went where he is: the figures, promises and chances of the last decision on him')
    .argument('<name>', 'the user')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 65 no decision is known (any more).\n\nExamples:\n  rookery placement explain jdoe',
    )
    .action(async (text: string, options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      const name = inboxOf(text, config);
      const decision = await withOrders(config, surroundings, (_, decisions) => decisions.read(name));
      if (!decision) throw new CommandError(exit.data, `${readable(name)}: no decision is known`);
      (options.format === 'json' ? [JSON.stringify(decision)] : explainPlacement(decision)).forEach(surroundings.out);
    });
}

export function placementCommand(surroundings: Surroundings): Command {
  return new Command('placement')
    .description('where new users go')
    .addCommand(explain(surroundings))
    .addCommand(simulateCommand(surroundings));
}
