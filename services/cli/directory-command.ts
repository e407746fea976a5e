// rookery directory: how the directory itself stands.
import { Command, InvalidArgumentError } from 'commander';
import { readable } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import { distrust, unheard } from '../directory/freshness.ts';
import { CommandError, exit } from './exit-codes.ts';
import { registryOf } from '../process/settings.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { caseJson, casesTable, changeJson, changesTable } from './case-view.ts';
import { operatorOf } from './surroundings.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-directory.ts';

interface Status {
  /** Whether absence from the directory is proof. */
  trusted: boolean;
  /** The operator who has said so, and when; left out when none has. */
  vouched: { by: string; at: string } | undefined;
  epoch: number;
  /** How data were lost when the epoch began; left out when they were not. */
  lost: string | undefined;
  heard: string[];
  /** Why it is not trusted; left out when it is. */
  doubt: string | undefined;
  /** Backends that must push their list first. */
  waiting_for: string[];
  /** Changes so far, by shard. */
  changes: readonly number[];
  /** Open cases of reconciliation. */
  cases: number;
  /** Rows of servers that are no backends (any more), by server. */
  unknown_servers: Record<string, number>;
}

async function statusOf(directory: Directory, config: Config): Promise<Status> {
  const standing = await directory.standing();
  const { vouched } = standing;
  const witnesses = registryOf(config).witnesses();
  const waiting = unheard(standing, witnesses);
  const doubt = distrust(standing, witnesses);
  return {
    trusted: doubt === undefined,
    doubt,
    vouched: vouched && { by: readable(vouched.by), at: new Date(vouched.at).toISOString() },
    epoch: standing.epoch,
    lost: standing.lost,
    heard: standing.heard.map(readable),
    waiting_for: waiting.map(readable),
    changes: (await directory.head()).map(({ seq }) => seq),
    cases: (await directory.caseload()).count,
    unknown_servers: await unknownServers(directory, config),
  };
}

/** Where no backend is known, all servers would be. */
async function unknownServers(directory: Directory, config: Config): Promise<Record<string, number>> {
  const registry = registryOf(config);
  if (registry.all().length === 0) return {};
  const servers = [...(await directory.servers())].filter(([server]) => !registry.find(server));
  return Object.fromEntries(servers.map(([server, rows]) => [readable(server), rows]));
}

function unknownText(servers: Status['unknown_servers']): string {
  const texts = Object.entries(servers).map(([server, rows]) => `${rows} at ${server}`);
  return texts.length === 0 ? 'none' : `${texts.join(', ')}: no backend of that name is configured`;
}

function statusPairs(status: Status): [string, string][] {
  const { vouched } = status;
  const trusted = vouched ? `yes, ${vouched.by} vouches for it since ${vouched.at}` : 'yes';
  return [
    [
      'trusted',
      status.trusted
        ? trusted
        : `no, ${status.doubt ?? ''}: unknown recipients are put off, not refused (see rookery directory trust)`,
    ],
    ['waiting for', status.waiting_for.join(', ') || 'nobody'],
    ['heard from', status.heard.join(', ') || 'nobody yet'],
    ['epoch', String(status.epoch)],
    ['began with', status.lost === undefined ? 'the making of the directory' : `a loss of data: ${status.lost}`],
    ['changes', status.changes.join(', ')],
    ['lost rows', unknownText(status.unknown_servers)],
    ['cases', status.cases === 0 ? 'none open' : `${status.cases} open: rookery directory cases`],
  ];
}

function status(surroundings: Surroundings): Command {
  return new Command('status')
    .description('show whether the directory is trusted, and which backends it has heard from')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery directory status\n  rookery directory status -f json')
    .action(async (options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      const result = await withDirectory(config, surroundings, (directory) => statusOf(directory, config));
      if (options.format === 'json') surroundings.out(JSON.stringify(result));
      else pairLines(statusPairs(result)).forEach(surroundings.out);
    });
}

/** After a loss every mailbox that is not back yet would be refused: that takes a second word. Throws 75. */
async function refuseBlindTrust(directory: Directory, { lost, changes }: Status): Promise<void> {
  if (lost === undefined && changes.some((seq) => seq > 0)) return;
  const { entries } = await directory.snapshot();
  const why = lost === undefined ? 'nothing was ever written to it' : `data were lost (${lost})`;
  throw new CommandError(
    exit.temporary,
    `${why}, and it has ${entries.length} mailboxes now: mail for all others would be refused for good; --yes says so`,
  );
}

function trust(surroundings: Surroundings): Command {
  return new Command('trust')
    .description(
      'vouch for the directory as it is: names it does not have are then refused (550), whoever has not been heard',
    )
    .option('-y, --yes', 'also where data were lost, or nothing was ever written', false)
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nFor a backend that is gone for good, or a directory filled by other means. Holds until data are found lost.\n\nExamples:\n  rookery directory status\n  rookery directory trust',
    )
    .action(async (options: ConfigOption & { yes: boolean }) => {
      const config = configOf(options, surroundings);
      const before = await withDirectory(config, surroundings, async (directory) => {
        const found = await statusOf(directory, config);
        if (!options.yes) await refuseBlindTrust(directory, found);
        await directory.vouch(operatorOf(surroundings));
        return found;
      });
      const silent =
        before.waiting_for.length === 0 ? '' : `, though nothing was heard from ${before.waiting_for.join(', ')}`;
      surroundings.out(`the directory is trusted in epoch ${before.epoch}${silent}`);
    });
}

function beginAnew(surroundings: Surroundings): Command {
  return new Command('distrust')
    .description(
      'begin a new epoch, as after a loss of data: no name is refused (550) before the backends have pushed again',
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nFor a loss that cannot be seen: the whole data folder was restored from a backup, Redis evicted keys.\n\nExamples:\n  rookery directory distrust',
    )
    .action(async (options: ConfigOption) => {
      const why = `said by ${operatorOf(surroundings)}`;
      const config = configOf(options, surroundings);
      const { epoch } = await withDirectory(config, surroundings, async (directory) => {
        await directory.distrust(why);
        return directory.standing();
      });
      surroundings.out(`epoch ${epoch} has begun: it is trusted when every backend has pushed`);
    });
}

function cases(surroundings: Surroundings): Command {
  return new Command('cases')
    .description('list the names whose row may not tell the truth, and what reconciliation waits for, the oldest first')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery directory cases\n  rookery directory cases -f json')
    .action(async (options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      const open = await withDirectory(config, surroundings, (directory) => directory.cases());
      const lines = () => (open.length === 0 ? ['no case is open'] : tableLines(casesTable(open, Date.now())));
      (options.format === 'json' ? jsonLines(open.map(caseJson)) : lines()).forEach(surroundings.out);
    });
}

/** How many changes `log` shows at most. */
const mostChanges = 100_000;

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1 && number <= mostChanges) return number;
  throw new InvalidArgumentError(`it must be a whole number from 1 to ${mostChanges}`);
}

function log(surroundings: Surroundings): Command {
  return new Command('log')
    .description('show the newest changes: what was done, when, by whom and in which session; the newest first')
    .argument('[name]', 'only those of this mailbox')
    .option('-l, --limit <number>', 'how many at most', numberOf, 50)
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nThe log keeps the last changes only: directory.change_log_length.\n\nExamples:\n  rookery directory log\n  rookery directory log user.jdoe --limit 5 -f json',
    )
    .action(async (name: string | undefined, options: ConfigOption & FormatOption & { limit: number }) => {
      const config = configOf(options, surroundings);
      const bytes = name === undefined ? undefined : bytesFromText(name);
      const ask = (directory: Directory) => directory.history(bytes, options.limit);
      const changes = await withDirectory(config, surroundings, ask);
      const json = options.format === 'json';
      const lines = () => (changes.length === 0 ? ['no change is known'] : tableLines(changesTable(changes)));
      (json ? jsonLines(changes.map(changeJson)) : lines()).forEach(surroundings.out);
    });
}

export function directoryCommand(surroundings: Surroundings): Command {
  const command = new Command('directory').description('how the directory itself stands');
  for (const child of [status, trust, beginAnew, cases, log]) command.addCommand(child(surroundings));
  return command;
}
