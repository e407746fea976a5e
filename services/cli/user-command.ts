// rookery user: users are ordered here, made by workers, and looked after until that is done.
import { Command, InvalidArgumentError } from 'commander';
import { readable } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Ordering } from '../users/ordering.ts';
import type { Order, Wish } from '../users/order.ts';
import { orderValueOf } from '../operations/order-value.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { pairLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { importCommand } from './user-import.ts';
import { creation, inboxOf, quotaOf } from './user-said.ts';
import type { CreateOptions } from './user-said.ts';
import { ended, withOrders } from './with-orders.ts';

interface WaitOption {
  wait: number;
}

type Options = ConfigOption & FormatOption & WaitOption;

function secondsOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a number of seconds, 0 or more.');
  return Number(text);
}

/** Orders it, and waits for its end. A refusal is 65, one that goes on 75. */
async function order(
  name: Bytes,
  wish: Wish,
  options: Options,
  config: Config,
  surroundings: Surroundings,
): Promise<void> {
  const by = bytesFromText(operatorOf(surroundings));
  const found = await withOrders(config, surroundings, async (ordering) => {
    const placed = await ordering.place(name, wish, by);
    if (placed.is === 'open' && JSON.stringify(placed.order.wish) !== JSON.stringify(wish)) {
      throw new CommandError(
        exit.temporary,
        `${readable(name)} has another order open: ${placed.order.wish.is} (${placed.order.note})`,
      );
    }
    return ended(ordering, name, options.wait * 1000);
  });
  told(found, options, surroundings);
}

function told(found: Order | undefined, { format }: FormatOption, surroundings: Surroundings): void {
  if (!found) throw new CommandError(exit.temporary, 'the order is not known any more');
  const { name, state, note } = found;
  if (format === 'json') surroundings.out(JSON.stringify(orderValueOf(found)));
  if (state === 'refused' || state === 'cancelled') throw new CommandError(exit.data, `${readable(name)}: ${note}`);
  if (state === 'open') throw new CommandError(exit.temporary, `${readable(name)}: not done yet: ${note}`);
  if (format !== 'json') surroundings.out(`${readable(name)}: ${note}`);
}

const codes = '\nExit codes: 65 refused, 75 ordered and not done yet.';

function withOptions(command: Command): Command {
  return command
    .option('-w, --wait <seconds>', 'how long to wait for the end; 0 only orders', secondsOf, 30)
    .addOption(formatOption())
    .addOption(configOption());
}

function create(surroundings: Surroundings): Command {
  return withOptions(new Command('create'))
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
      const config = configOf(options, surroundings);
      await order(inboxOf(text, config), creation(options), options, config, surroundings);
    });
}

function remove(surroundings: Surroundings): Command {
  return withOptions(new Command('delete'))
    .description('delete a user with all folders, on the server that has him')
    .argument('<name>', 'the user')
    .addHelpText('after', `${codes}\n\nExamples:\n  rookery user delete jdoe`)
    .action(async (text: string, options: Options) => {
      const config = configOf(options, surroundings);
      await order(inboxOf(text, config), { is: 'delete' }, options, config, surroundings);
    });
}

function rename(surroundings: Surroundings): Command {
  return withOptions(new Command('rename'))
    .description('give a user another name, on the server that has him')
    .argument('<name>', 'the user')
    .argument('<new-name>', 'his new name')
    .addHelpText('after', `${codes}\n\nExamples:\n  rookery user rename jdoe jsmith`)
    .action(async (text: string, to: string, options: Options) => {
      const config = configOf(options, surroundings);
      await order(inboxOf(text, config), { is: 'rename', to: inboxOf(to, config) }, options, config, surroundings);
    });
}

function cancel(surroundings: Surroundings): Command {
  return new Command('cancel')
    .description('take back what was ordered of a user, as long as no server has anything of it')
    .argument('<name>', 'the user')
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 65 there is no open order, or its server may have been told.\n\nExamples:\n  rookery user cancel jdoe',
    )
    .action(async (text: string, options: ConfigOption) => {
      const config = configOf(options, surroundings);
      const by = bytesFromText(operatorOf(surroundings));
      const name = inboxOf(text, config);
      const { note } = await withOrders(config, surroundings, (ordering) => ordering.cancel(name, by));
      surroundings.out(`${readable(name)}: ${note}`);
    });
}

function show(surroundings: Surroundings): Command {
  return new Command('show')
    .description('show what was ordered of a user last, and what became of it')
    .argument('<name>', 'the user')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 65 nothing is known of an order.\n\nExamples:\n  rookery user show jdoe -f json',
    )
    .action(async (text: string, options: ConfigOption & FormatOption) => {
      const config = configOf(options, surroundings);
      const name = inboxOf(text, config);
      const found = await withOrders(config, surroundings, (ordering: Ordering) => ordering.read(name));
      if (!found) throw new CommandError(exit.data, `${readable(name)}: no order is known`);
      const json = orderValueOf(found);
      const pairs = Object.entries(json).map(([key, value]): [string, string] => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value ?? null),
      ]);
      (options.format === 'json' ? [JSON.stringify(json)] : pairLines(pairs)).forEach(surroundings.out);
    });
}

export function userCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('user').description('make, delete and rename users; workers carry it out');
  for (const child of [create, remove, rename, cancel, show]) command.addCommand(child(surroundings));
  command.addCommand(importCommand(surroundings, end));
  return command;
}
