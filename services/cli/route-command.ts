// rookery route: what would become of a message to an address, step by step, without sending one.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { exit } from './exit-codes.ts';
import { explainRoute } from './route-explanation.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-directory.ts';

/** How the command ends, by what would become of the recipient. */
const endings = { deliver: exit.ok, defer: exit.temporary, reject: exit.noUser } as const;

function explain(surroundings: Surroundings, ended: (code: number) => void): Command {
  return new Command('explain')
    .description('print each step from an address to the reply that an MTA would get')
    .argument('<address>', 'as an MTA would give it in RCPT TO, with or without angle brackets')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 it would be delivered, 67 refused, 75 put off, 65 no address.\n\nExamples:\n  rookery route explain jdoe@example.org\n  rookery route explain "jdoe+Lists/rookery@example.org" -f json',
    )
    .action(async (address: string, options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      const bytes = bytesFromText(address);
      const route = await withDirectory(config, surroundings, (directory) => explainRoute(bytes, directory, config));
      if (options.format === 'json') surroundings.out(JSON.stringify(route));
      else route.steps.forEach(surroundings.out);
      ended(endings[route.action]);
    });
}

export function routeCommand(surroundings: Surroundings, ended: (code: number) => void): Command {
  return new Command('route').description('where mail would go').addCommand(explain(surroundings, ended));
}
