// rookery route: what would become of a message to an address, step by step, without sending one.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, octets, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-operations.ts';

/** How the command ends, by what would become of the recipient. */
const endings = { deliver: exit.ok, defer: exit.temporary, reject: exit.noUser } as const;

interface MessageOptions {
  auth?: string;
  from?: string;
  size?: number;
}

function explain(surroundings: Surroundings, ended: (code: number) => void): Command {
  return withOptions(new Command('explain'), [formatOption(), ...whereOptions()])
    .description('print each step from an address to the reply that an MTA would get')
    .argument('<address>', 'as an MTA would give it in RCPT TO, with or without angle brackets')
    .option('--auth <user>', 'who sends: the user that the MTA would name by AUTH=; left out: nobody in particular')
    .option('--from <sender>', 'the sender as the MTA would give it in MAIL FROM; <> for the null sender')
    .option(
      '--size <octets>',
      'the size of the message, in octets or as 500K, 20M: held against our limit, and the backend is asked for its own',
      octets,
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 it would be delivered, 67 refused, 75 put off, 65 no address.\n\nExamples:\n  rookery route explain jdoe@example.org\n  rookery route explain jdoe@example.org --from joe@example.com --size 20000000\n  rookery route explain "jdoe+Lists/rookery@example.org" -f json',
    )
    .action(async (address: string, options: ApiOptions & FormatOption & MessageOptions) => {
      const { auth, from, size } = options;
      const message = {
        ...(auth !== undefined && { poster: bytesFromText(auth) }),
        ...(from !== undefined && { sender: bytesFromText(from) }),
        ...(size !== undefined && { size }),
      };
      const bytes = bytesFromText(address);
      const explained = await withDirectory(options, surroundings, ({ route }) => route.explain(bytes, message));
      if (options.format === 'json') surroundings.out(JSON.stringify(explained));
      else explained.steps.forEach(surroundings.out);
      ended(endings[explained.action]);
    });
}

export function routeCommand(surroundings: Surroundings, ended: (code: number) => void): Command {
  return new Command('route').description('where mail would go').addCommand(explain(surroundings, ended));
}
