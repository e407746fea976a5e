// rookery directory: how the directory itself stands.
import { Command, InvalidArgumentError } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { StatusValue } from '../operations/directory-operations.ts';
import { Refusal } from '../operations/refusal.ts';
import type { ApiOptions } from './api-client.ts';
import { casesTable, changesTable } from './case-view.ts';
import { formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

function unknownText(servers: StatusValue['unknown_servers']): string {
  const texts = Object.entries(servers).map(([server, rows]) => `${rows} at ${server}`);
  return texts.length === 0 ? 'none' : `${texts.join(', ')}: no backend of that name is configured`;
}

function statusPairs(status: StatusValue): [string, string][] {
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
  return withOptions(new Command('status'), [formatOption(), ...whereOptions()])
    .description('show whether the directory is trusted, and which backends it has heard from')
    .addHelpText('after', '\nExamples:\n  rookery directory status\n  rookery directory status -f json')
    .action(async (options: Options) => {
      const result = await withDirectory(options, surroundings, ({ directory }) => directory.status());
      if (options.format === 'json') surroundings.out(JSON.stringify(result));
      else pairLines(statusPairs(result)).forEach(surroundings.out);
    });
}

function trust(surroundings: Surroundings): Command {
  return withOptions(new Command('trust'), whereOptions())
    .description(
      'vouch for the directory as it is: names it does not have are then refused (550), whoever has not been heard',
    )
    .option('-y, --yes', 'also where data were lost, or nothing was ever written', false)
    .addHelpText(
      'after',
      '\nFor a backend that is gone for good, or a directory filled by other means. Holds until data are found lost.\n\nExamples:\n  rookery directory status\n  rookery directory trust',
    )
    .action(async (options: ApiOptions & { yes: boolean }) => {
      const trusting = { blind: options.yes, by: operatorOf(surroundings) };
      const before = await withDirectory(options, surroundings, ({ directory }) => directory.trust(trusting));
      const silent =
        before.waiting_for.length === 0 ? '' : `, though nothing was heard from ${before.waiting_for.join(', ')}`;
      surroundings.out(`the directory is trusted in epoch ${before.epoch}${silent}`);
    });
}

/** What a new epoch would bring. */
function anewText({ epoch, trusted, waiting_for, heard }: StatusValue): string {
  const all = [...new Set([...heard, ...waiting_for])].join(', ') || 'the backends';
  const before = trusted ? 'trusted' : 'not trusted as it is';
  return `epoch ${epoch} (${before}) would end: unknown recipients would be put off (451) until these have pushed again: ${all}`;
}

function beginAnew(surroundings: Surroundings): Command {
  return withOptions(new Command('distrust'), whereOptions())
    .description(
      'begin a new epoch, as after a loss of data: no name is refused (550) before the backends have pushed again',
    )
    .option('-y, --yes', 'do it: nobody but the backends, or rookery directory trust, takes it back', false)
    .option('-n, --dry-run', 'tell what would be, and do nothing', false)
    .addHelpText(
      'after',
      '\nFor a loss that cannot be seen: the whole data folder was restored from a backup, Redis evicted keys.\n\nExamples:\n  rookery directory distrust --dry-run\n  rookery directory distrust --yes',
    )
    .action(async (options: ApiOptions & { yes: boolean; dryRun: boolean }) => {
      if (options.dryRun || !options.yes) {
        const now = await withDirectory(options, surroundings, ({ directory }) => directory.status());
        if (!options.dryRun) throw new Refusal('unsafe', `${anewText(now)}; --yes says so`);
        surroundings.out(anewText(now));
        return;
      }
      const by = operatorOf(surroundings);
      const { epoch } = await withDirectory(options, surroundings, ({ directory }) => directory.distrust(by));
      surroundings.out(`epoch ${epoch} has begun: it is trusted when every backend has pushed`);
    });
}

function cases(surroundings: Surroundings): Command {
  return withOptions(new Command('cases'), [formatOption(), ...whereOptions()])
    .description('list the names whose row may not tell the truth, and what reconciliation waits for, the oldest first')
    .addHelpText('after', '\nExamples:\n  rookery directory cases\n  rookery directory cases -f json')
    .action(async (options: Options) => {
      const open = await withDirectory(options, surroundings, ({ directory }) => directory.cases());
      const lines = () => (open.length === 0 ? ['no case is open'] : tableLines(casesTable(open, Date.now())));
      (options.format === 'json' ? jsonLines(open) : lines()).forEach(surroundings.out);
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
  return withOptions(new Command('log'), [formatOption(), ...whereOptions()])
    .description('show the newest changes: what was done, when, by whom and in which session; the newest first')
    .argument('[name]', 'only those of this mailbox')
    .option('-l, --limit <number>', 'how many at most', numberOf, 50)
    .addHelpText(
      'after',
      '\nThe log keeps the last changes only: directory.change_log_length.\n\nExamples:\n  rookery directory log\n  rookery directory log user.jdoe --limit 5 -f json',
    )
    .action(async (name: string | undefined, options: Options & { limit: number }) => {
      const query = { name: name === undefined ? undefined : bytesFromText(name), limit: options.limit };
      const changes = await withDirectory(options, surroundings, ({ directory }) => directory.log(query));
      const json = options.format === 'json';
      const lines = () => (changes.length === 0 ? ['no change is known'] : tableLines(changesTable(changes)));
      (json ? jsonLines(changes) : lines()).forEach(surroundings.out);
    });
}

export function directoryCommand(surroundings: Surroundings): Command {
  const command = new Command('directory').description('how the directory itself stands');
  for (const child of [status, trust, beginAnew, cases, log]) command.addCommand(child(surroundings));
  return command;
}
