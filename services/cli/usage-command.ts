// rookery usage: how full the backends said they were.
import { Argument, Command, Option } from 'commander';
import type { Config } from '../config/schema.ts';
import type { Latest } from '../placement/usage-history.ts';
import type { UsageFigure } from '../placement/usage.ts';
import { configOf, configOption, formatOption, wholeNumber } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jsonLines, tableLines } from './render.ts';
import type { OpenUsage, Surroundings } from './surroundings.ts';

type Options = ConfigOption & FormatOption;

/** Lets `ask` have the figures. Redis that is not there ends the command with 69, one that fails with 75. */
async function withUsage<T>(
  config: Config,
  surroundings: Surroundings,
  ask: (usage: OpenUsage['usage']) => Promise<T>,
): Promise<T> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const opened = await surroundings.openUsage(config).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `the figures cannot be read: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await ask(opened.usage);
  } catch (error) {
    throw new CommandError(exit.temporary, `the figures could not be read: ${messageOf(error)}`, { cause: error });
  } finally {
    await opened.close();
  }
}

const columns = ['server', 'asked', 'used', 'available KiB', 'total KiB', 'note'];

/** A line of the table: what was said when, and why there is no later word. */
function row(server: string, figure: UsageFigure | undefined, note: string): string[] {
  const asked = figure ? new Date(figure.at).toISOString() : 'never';
  if (!figure?.total) return [server, asked, '?', '?', '?', note];
  const { availableKiB, totalKiB } = figure.total;
  const used = `${Math.round((100 * (totalKiB - availableKiB)) / totalKiB)}%`;
  return [server, asked, used, String(availableKiB), String(totalKiB), note];
}

function latestRow({ server, figure, silent, answer }: Latest): string[] {
  return row(server, answer ?? figure, silent ? `silent: ${figure?.error ?? 'not asked yet'}` : '');
}

function show(surroundings: Surroundings): Command {
  return new Command('show')
    .description('show how full each backend was by its last answer, and which are silent')
    .addArgument(new Argument('[server]', 'only this one, with its figures before that, newest first'))
    .addOption(new Option('-n, --limit <number>', 'at most so many figures').argParser(wholeNumber).default(50))
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery usage show\n  rookery usage show mail1.example.org -n 10 -f json')
    .action(async (server: string | undefined, options: Options & { limit: number }) => {
      const config = configOf(options, surroundings);
      const servers = Object.keys(config.backends);
      if (server !== undefined && !servers.includes(server)) {
        throw new CommandError(exit.data, `there is no backend ${server}: there are ${servers.join(', ') || 'none'}`);
      }
      const { found, rows } = await withUsage(config, surroundings, async (usage) => {
        if (server === undefined) {
          const latest = await usage.latest(servers);
          return { found: latest, rows: latest.map(latestRow) };
        }
        const figures = await usage.history(server, options.limit);
        return { found: figures, rows: figures.map((figure) => row(server, figure, figure.error ?? '')) };
      });
      const lines = () => (rows.length === 0 ? ['no figure is there'] : tableLines({ columns, rows }));
      (options.format === 'json' ? jsonLines(found) : lines()).forEach(surroundings.out);
    });
}

export function usageCommand(surroundings: Surroundings): Command {
  const command = new Command('usage').description('how full the backends are');
  command.addCommand(show(surroundings));
  return command;
}
