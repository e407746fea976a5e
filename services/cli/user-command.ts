// rookery user: users are ordered here, made by workers, and looked after until that is done.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { OrderValue } from '../operations/order-value.ts';
import type { Wish } from '../users/order.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeSeconds, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { pairLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { importCommand } from './user-import.ts';
import { creation, quotaOf } from './user-said.ts';
import type { CreateOptions } from './user-said.ts';
import { withUsers } from './with-operations.ts';

type Options = ApiOptions & FormatOption & { wait: number };

/** Orders it, and waits for its end. A refusal is 65, one that goes on 75. */
async function order(text: string, wish: Wish, options: Options, surroundings: Surroundings): Promise<void> {
  const user = bytesFromText(text);
  const found = await withUsers(options, surroundings, async ({ users }) => {
    const ordered = await users.order(user, wish, operatorOf(surroundings));
    if (ordered.state !== 'open' || options.wait === 0) return ordered;
    return users.show(user, options.wait * 1000);
  });
  told(found, options, surroundings);
}

function told(order: OrderValue, { format }: FormatOption, surroundings: Surroundings): void {
  const { name, state, note } = order;
  if (format === 'json') surroundings.out(JSON.stringify(order));
  if (state === 'refused' || state === 'cancelled') throw new CommandError(exit.data, `${name}: ${note}`);
  if (state === 'open') throw new CommandError(exit.temporary, `${name}: not done yet: ${note}`);
  if (format !== 'json') surroundings.out(`${name}: ${note}`);
}

const codes = '\nExit codes: 65 refused, 75 ordered and not done yet.';

function ordering(command: Command): Command {
  return withOptions(command, [formatOption(), ...whereOptions()]).option(
    ...['-w, --wait <seconds>', 'how long to wait for the end; 0 only orders'],
    wholeSeconds,
    30,
  );
}

function create(surroundings: Surroundings): Command {
  return ordering(new Command('create'))
    .description('make a user on the best server, or on the one that is named')
    .argument('<name>', 'the user: jdoe, jdoe@example.org or user.jdoe')
    .option('-s, --server <server>', 'on this server')
    .option('-p, --partition <partition>', 'on this partition')
    .option('-z, --zone <zone>', 'on a server of this zone')
    .option('-q, --quota <KiB>', 'with this quota, in KiB or as 500M, 2G', quotaOf)
    .addHelpText(
      'after',
      `${codes}\n\nExamples:\n  rookery user create jdoe@example.org\n  rookery user create jdoe --server mail1.example.org --quota 2G`,
    )
    .action(async (text: string, options: Options & CreateOptions) => {
      await order(text, creation(options), options, surroundings);
    });
}

function remove(surroundings: Surroundings): Command {
  return ordering(new Command('delete'))
    .description('delete a user with all folders, on the server that has him')
    .argument('<name>', 'the user')
    .addHelpText('after', `${codes}\n\nExamples:\n  rookery user delete jdoe`)
    .action(async (text: string, options: Options) => {
      await order(text, { is: 'delete' }, options, surroundings);
    });
}

function rename(surroundings: Surroundings): Command {
  return ordering(new Command('rename'))
    .description('give a user another name, on the server that has him')
    .argument('<name>', 'the user')
    .argument('<new-name>', 'his new name')
    .addHelpText('after', `${codes}\n\nExamples:\n  rookery user rename jdoe jsmith`)
    .action(async (text: string, to: string, options: Options) => {
      await order(text, { is: 'rename', to: bytesFromText(to) }, options, surroundings);
    });
}

function cancel(surroundings: Surroundings): Command {
  return withOptions(new Command('cancel'), [formatOption(), ...whereOptions()])
    .description('take back what was ordered of a user, as long as no server has anything of it')
    .argument('<name>', 'the user')
    .option(
      '--force',
      'also where its server may have been told, for it never comes back; what it has done stays there',
    )
    .addHelpText(
      'after',
      '\nExit codes: 65 there is no open order, or its server may have been told.\n\nExamples:\n  rookery user cancel jdoe\n  rookery user cancel jdoe --force    # its server is gone for good',
    )
    .action(async (text: string, options: ApiOptions & FormatOption & { force?: true }) => {
      const [user, by] = [bytesFromText(text), operatorOf(surroundings)];
      const isForced = options.force === true;
      const order = await withUsers(options, surroundings, ({ users }) => users.cancel(user, by, isForced));
      surroundings.out(options.format === 'json' ? JSON.stringify(order) : `${order.name}: ${order.note}`);
    });
}

function show(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description('show what was ordered of a user last, and what became of it')
    .argument('<name>', 'the user')
    .addHelpText(
      'after',
      '\nExit codes: 65 nothing is known of an order.\n\nExamples:\n  rookery user show jdoe -f json',
    )
    .action(async (text: string, options: ApiOptions & FormatOption) => {
      const found = await withUsers(options, surroundings, ({ users }) => users.show(bytesFromText(text)));
      const pairs = Object.entries(found).map(([key, value]): [string, string] => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]);
      (options.format === 'json' ? [JSON.stringify(found)] : pairLines(pairs)).forEach(surroundings.out);
    });
}

export function userCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('user').description('make, delete and rename users; workers carry it out');
  for (const child of [create, remove, rename, cancel, show]) command.addCommand(child(surroundings));
  command.addCommand(importCommand(surroundings, end));
  return command;
}
