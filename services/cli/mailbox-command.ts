// rookery mailbox: what the directory knows of mailboxes.
import { Argument, Command } from 'commander';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { finding } from '../directory/freshness.ts';
import { bytesFromText, partitionOf, serverOf, textFromBytes } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { readable } from '../address/bytes.ts';
import { registryOf } from '../process/settings.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { entriesTable, entryJson, entryPairs, stateText } from './entry-view.ts';
import { CommandError, exit } from './exit-codes.ts';
import { mailboxPattern } from './mailbox-pattern.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-directory.ts';

type Options = ConfigOption & FormatOption;

/** The row of a name. Throws 67 where its absence is proven, 75 where it is not. */
async function entryOf(directory: Directory, name: Bytes, config: Config): Promise<Entry> {
  const asked = Date.now();
  const lookup = await directory.lookup([name]);
  const [entry] = lookup.entries;
  if (entry) return entry;
  const facts = { names: [name], lookup, witnesses: registryOf(config).witnesses(), asked, now: Date.now() };
  const found = finding({ ...facts, autocreate: false });
  const nobody = `${readable(name)}: there is no such mailbox`;
  if (found.found || found.proven) throw new CommandError(exit.noUser, nobody);
  throw new CommandError(exit.temporary, `${readable(name)}: not found, but there may be one: ${found.reason}`);
}

async function entriesOn(directory: Directory, server: Bytes | undefined): Promise<Entry[]> {
  if (server === undefined) return (await directory.snapshot()).entries;
  const rows = await directory.list(server);
  return rows.filter((row) => serverOf(row.location) === server);
}

function list(surroundings: Surroundings): Command {
  return new Command('list')
    .description('list mailboxes, with server, partition and state')
    .addArgument(
      new Argument('[pattern]', 'which names: * stands for anything, % for anything up to the next dot').default('*'),
    )
    .option('-s, --server <name>', 'only those on this server')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExamples:\n  rookery mailbox list\n  rookery mailbox list "user.%" --server mail1.example.org\n  rookery mailbox list "user.jdoe*" -f json',
    )
    .action(async (pattern: string, options: Options & { server?: string }) => {
      const matches = mailboxPattern(bytesFromText(pattern));
      const server = options.server === undefined ? undefined : bytesFromText(options.server);
      const all = await withDirectory(configOf(options, surroundings), surroundings, (directory) =>
        entriesOn(directory, server),
      );
      const entries = all.filter(({ name }) => matches(name));
      const lines = options.format === 'json' ? jsonLines(entries.map(entryJson)) : tableLines(entriesTable(entries));
      lines.forEach(surroundings.out);
    });
}

function where(surroundings: Surroundings): Command {
  return new Command('where')
    .description('print the server and the partition of a mailbox')
    .argument('<name>', 'the mailbox name, as user.jdoe')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 67 no such mailbox, 75 reserved or not certain.\n\nExamples:\n  rookery mailbox where user.jdoe\n  rookery mailbox where "example.org!user.jdoe.Sent" -f json',
    )
    .action(async (name: string, options: Options) => {
      const config = configOf(options, surroundings);
      const entry = await withDirectory(config, surroundings, (directory) =>
        entryOf(directory, bytesFromText(name), config),
      );
      if (entry.state !== 'active') throw new CommandError(exit.temporary, `${name}: ${stateText(entry)}`);
      const [server, partition] = [textFromBytes(serverOf(entry.location)), textFromBytes(partitionOf(entry.location))];
      surroundings.out(
        options.format === 'json' ? JSON.stringify({ server, partition }) : `${server} ${partition}`.trimEnd(),
      );
    });
}

function show(surroundings: Surroundings): Command {
  return new Command('show')
    .description('show all that is known of a mailbox, and the tree it belongs to')
    .argument('<name>', 'the mailbox name, as user.jdoe')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 67 no such mailbox, 75 not certain.\n\nExamples:\n  rookery mailbox show user.jdoe\n  rookery mailbox show user.jdoe -f json',
    )
    .action(async (name: string, options: Options) => {
      const config = configOf(options, surroundings);
      const bytes = bytesFromText(name);
      const [entry, tree] = await withDirectory(
        config,
        surroundings,
        async (directory) => [await entryOf(directory, bytes, config), await directory.tree(bytes)] as const,
      );
      if (options.format === 'json')
        surroundings.out(JSON.stringify({ ...entryJson(entry), tree: tree.map(entryJson) }));
      else
        [...pairLines(entryPairs(entry)), '', 'The tree:', ...tableLines(entriesTable(tree))].forEach(surroundings.out);
    });
}

export function mailboxCommand(surroundings: Surroundings): Command {
  const command = new Command('mailbox').description('what the directory knows of mailboxes');
  for (const child of [list(surroundings), where(surroundings), show(surroundings)]) command.addCommand(child);
  return command;
}
