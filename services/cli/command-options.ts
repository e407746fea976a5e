// The options that several commands share: --config and --format, and how numbers are read.
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Format } from './render.ts';
import type { Surroundings } from './surroundings.ts';

/** Read where no other file is named and this one exists. */
export const usualFile = '/etc/rookery/rookery.yaml';

export interface ConfigOption {
  config?: string;
}

export interface FormatOption {
  format: Format;
}

export function configOption(): Option {
  return new Option(
    '-c, --config <file>',
    `the configuration (default: $ROOKERY_CONFIG, else ${usualFile} if it exists)`,
  );
}

/** The options by which a command finds what it asks: by the configuration, or at an API. */
export function whereOptions(): Option[] {
  return [
    configOption(),
    new Option('--api <url>', 'ask the API there instead of Redis (default: $ROOKERY_API)').conflicts('config'),
    new Option('--token-file <file>', 'the file with the token for the API (default: $ROOKERY_API_TOKEN is the token)'),
  ];
}

/** Gives a command these options. */
export function withOptions(command: Command, options: readonly Option[]): Command {
  for (const option of options) command.addOption(option);
  return command;
}

export function formatOption(): Option {
  return new Option('-f, --format <format>', 'how to show the result').choices(['table', 'json']).default('table');
}

/** A number of things; commander shows what is wrong with it. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.');
  return Number(text);
}

export function wholeSeconds(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds, 0 or more.');
  return Number(text);
}

/** As above, with an upper bound. */
export function upTo(most: number): (text: string) => number {
  return (text) => {
    const number = wholeNumber(text);
    if (number > most) throw new InvalidArgumentError(`It must be at most ${most}.`);
    return number;
  };
}

/** Octets from `500M`, `2G` or plain ones, K being 1024; commander shows what is wrong with it. */
export function octets(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,15})([KMG]?)$/i.exec(text) ?? [];
  const number = Number(digits) * 1024 ** ' KMG'.indexOf(unit === '' ? ' ' : unit.toUpperCase());
  if (digits !== '' && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('It must be a number of octets, 0 or more, or one with K, M or G behind it.');
}

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time such as `90s`, `30m`, `12h`, `7d`, in milliseconds; commander shows what is wrong with it. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit === undefined)
    throw new InvalidArgumentError('It must be a whole number and s, m, h or d: 90s, 30m, 12h, 7d.');
  return Number(number) * units[unit as keyof typeof units];
}

/** The file that the configuration is read from; undefined when there are only defaults and the environment. */
export function configFile(options: ConfigOption, { env }: Surroundings): string | undefined {
  const named = options.config ?? env['ROOKERY_CONFIG'];
  if (named !== undefined && named !== '') return named;
  return existsSync(usualFile) ? usualFile : undefined;
}

/** Loads the configuration. Throws ConfigError. */
export function configOf(options: ConfigOption, surroundings: Surroundings): Config {
  const file = configFile(options, surroundings);
  return loadConfig({ env: surroundings.env, ...(file !== undefined && { file }) });
}
