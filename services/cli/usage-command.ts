// rookery usage: how full the backends said they were.
import { Argument, Command, Option } from 'commander';
import type { FigureValue, LatestValue } from '../operations/usage-operations.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeNumber, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { jsonLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withUsage } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

const columns = ['server', 'asked', 'used', 'available KiB', 'total KiB', 'note'];

/** A line of the table: what was said when, and why there is no later word. */
function row(server: string, figure: FigureValue | undefined, note: string): string[] {
  const asked = figure ? new Date(figure.at).toISOString() : 'never';
  if (!figure?.total) return [server, asked, '?', '?', '?', note];
  const { availableKiB, totalKiB } = figure.total;
  const used = `${Math.round((100 * (totalKiB - availableKiB)) / totalKiB)}%`;
  return [server, asked, used, String(availableKiB), String(totalKiB), note];
}

function latestRow({ server, figure, silent, answer }: LatestValue): string[] {
  return row(server, answer ?? figure, silent ? `silent: ${figure?.error ?? 'not asked yet'}` : '');
}

function show(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description('show how full each backend was by its last answer, and which are silent')
    .addArgument(new Argument('[server]', 'only this one, with its figures before that, newest first'))
    .addOption(new Option('-n, --limit <number>', 'at most so many figures').argParser(wholeNumber).default(50))
    .addHelpText('after', '\nExamples:\n  rookery usage show\n  rookery usage show mail1.example.org -n 10 -f json')
    .action(async (server: string | undefined, options: Options & { limit: number }) => {
      const { found, rows } = await withUsage(options, surroundings, async (usage) => {
        if (server === undefined) {
          const latest = await usage.latest();
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
