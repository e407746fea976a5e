// rookery config: the configuration, checked, told, shown.
import { Command } from 'commander';
import { describeConfig } from '../config/describe.ts';
import type { KeyRow } from '../config/describe.ts';
import { exampleConfig } from '../config/example.ts';
import { nearest } from '../config/nearest.ts';
import { shownConfig, showConfig } from '../config/show.ts';
import { configFile, configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jsonLines, pairLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';

function check(surroundings: Surroundings): Command {
  return new Command('check')
    .description('check the configuration; name every key that is wrong, the value it has and what it may be')
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 it is right, 78 it is not.\n\nExamples:\n  rookery config check\n  rookery config check --config ./rookery.yaml',
    )
    .action((options: ConfigOption) => {
      configOf(options, surroundings);
      surroundings.out(`${configFile(options, surroundings) ?? 'defaults and environment'}: ok`);
    });
}

/** The rows for a key, and for those below it; all without one. */
function rowsFor(wanted: string | undefined): KeyRow[] {
  const all = describeConfig();
  if (wanted === undefined) return all;
  const rows = all.filter(({ key }) => key === wanted || key.startsWith(`${wanted}.`) || key.startsWith(`${wanted}[`));
  if (rows.length > 0) return rows;
  const hint = nearest(
    wanted,
    all.map(({ key }) => key),
  );
  throw new CommandError(
    exit.usage,
    `there is no key '${wanted}'${hint === undefined ? '' : `; did you mean ${hint}?`}`,
  );
}

function rowLines(row: KeyRow): string[] {
  const { key, doc, default: otherwise, example, expects, variable } = row;
  const pairs: [string, string][] = [
    ['  may be', expects],
    ['  default', otherwise],
    ['  example', example],
  ];
  if (variable !== '') pairs.push(['  variable', variable]);
  return [key, `  ${doc}`, ...pairLines(pairs), ''];
}

function describe(surroundings: Surroundings): Command {
  return new Command('describe')
    .description('tell every key: what it does, what it may be, its default, an example, its environment variable')
    .argument('[key]', 'only this key and those below it')
    .addOption(formatOption())
    .addHelpText(
      'after',
      '\nExamples:\n  rookery config describe\n  rookery config describe lmtp.size_limit\n  rookery config describe backends -f json',
    )
    .action((wanted: string | undefined, options: FormatOption) => {
      const rows = rowsFor(wanted);
      (options.format === 'json' ? jsonLines(rows) : rows.flatMap(rowLines)).forEach(surroundings.out);
    });
}

function show(surroundings: Surroundings): Command {
  return new Command('show')
    .description('show the configuration in force, defaults and environment included; secrets are hidden')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery config show\n  ROOKERY_LOG__LEVEL=debug rookery config show -f json')
    .action((options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      surroundings.out(options.format === 'json' ? JSON.stringify(shownConfig(config)) : showConfig(config).trimEnd());
    });
}

function example(surroundings: Surroundings): Command {
  return new Command('example')
    .description('print a configuration file with every key, its comment and its default')
    .addHelpText('after', '\nExamples:\n  rookery config example > rookery.yaml')
    .action(() => {
      surroundings.out(exampleConfig().trimEnd());
    });
}

export function configCommand(surroundings: Surroundings): Command {
  const command = new Command('config').description('the configuration');
  for (const child of [check, describe, show, example]) command.addCommand(child(surroundings));
  return command;
}
