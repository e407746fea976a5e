// rookery directory: how the directory itself stands.
import { Command } from 'commander';
import { readable } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { distrust, unheard } from '../directory/freshness.ts';
import { registryOf } from '../process/settings.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { pairLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-directory.ts';

interface Status {
  /** Whether absence from the directory is proof. */
  trusted: boolean;
  /** An operator has said so. */
  vouched: boolean;
  epoch: number;
  heard: string[];
  /** Why it is not trusted; left out when it is. */
  doubt: string | undefined;
  /** Backends that must push their list first. */
  waiting_for: string[];
  /** Changes so far, by shard. */
  changes: readonly number[];
}

async function statusOf(directory: Directory, config: Config): Promise<Status> {
  const standing = await directory.standing();
  const witnesses = registryOf(config).witnesses();
  const waiting = unheard(standing, witnesses);
  const doubt = distrust(standing, witnesses);
  return {
    trusted: doubt === undefined,
    doubt,
    vouched: standing.vouched,
    epoch: standing.epoch,
    heard: standing.heard.map(readable),
    waiting_for: waiting.map(readable),
    changes: (await directory.head()).map(({ seq }) => seq),
  };
}

function statusPairs(status: Status): [string, string][] {
  const trusted = status.vouched ? 'yes, an operator vouches for it' : 'yes';
  return [
    ['trusted', status.trusted ? trusted : `no, ${status.doubt ?? ''}: unknown recipients are put off, not refused`],
    ['waiting for', status.waiting_for.join(', ') || 'nobody'],
    ['heard from', status.heard.join(', ') || 'nobody yet'],
    ['epoch', String(status.epoch)],
    ['changes', status.changes.join(', ')],
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

function trust(surroundings: Surroundings): Command {
  return new Command('trust')
    .description(
      'vouch for the directory as it is: names it does not have are then refused (550), whoever has not been heard',
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nFor a backend that is gone for good, or a directory filled by other means. Holds until data are found lost.\n\nExamples:\n  rookery directory status\n  rookery directory trust',
    )
    .action(async (options: ConfigOption) => {
      const config = configOf(options, surroundings);
      const before = await withDirectory(config, surroundings, async (directory) => {
        const found = await statusOf(directory, config);
        await directory.vouch();
        return found;
      });
      const silent = before.waiting_for.length === 0 ? '' : `, though ${before.waiting_for.join(', ')} was not heard`;
      surroundings.out(`the directory is trusted in epoch ${before.epoch}${silent}`);
    });
}

export function directoryCommand(surroundings: Surroundings): Command {
  return new Command('directory')
    .description('how the directory itself stands')
    .addCommand(status(surroundings))
    .addCommand(trust(surroundings));
}
