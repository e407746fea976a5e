// rookery mailbox: what the directory knows of mailboxes.
import { Argument, Command } from 'commander';
import type { Config } from '../config/schema.ts';
import type { Case } from '../directory/case.ts';
import type { Change, Directory } from '../directory/directory.ts';
import { finding } from '../directory/freshness.ts';
import { bytesFromText, partitionOf, serverOf, textFromBytes } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { readable } from '../address/bytes.ts';
import { registryOf } from '../process/settings.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { entriesTable, entryJson, entryPairs, stateText } from './entry-view.ts';
import { caseJson, casePairs, changeJson, changesTable } from './case-view.ts';
import { CommandError, exit } from './exit-codes.ts';
import { claimCommand } from './mailbox-claim.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
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

/** How many changes of a name are shown. */
const changesShown = 20;

function show(surroundings: Surroundings, ended: (code: number) => void): Command {
  return new Command('show')
    .description('show all that is known of a mailbox: its row, what reconciliation waits for, its history, its tree')
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
      const known = await withDirectory(config, surroundings, (directory) => knownOf(directory, bytes, config));
      if (options.format === 'json') surroundings.out(JSON.stringify(knownJson(known)));
      else knownLines(known).forEach(surroundings.out);
      if (known.missing) throw known.missing;
      ended(exit.ok);
    });
}

/** All that is known of a name. */
interface Known {
  name: Bytes;
  entry: Entry | undefined;
  /** How the command ends where there is no row. */
  missing: CommandError | undefined;
  open: Case | undefined;
  history: Change[];
  tree: Entry[];
}

async function knownOf(directory: Directory, name: Bytes, config: Config): Promise<Known> {
  const [found, open, history, tree] = await Promise.all([
    entryOf(directory, name, config).catch((error: unknown) => {
      if (error instanceof CommandError) return error;
      throw error;
    }),
    directory.case(name),
    directory.history(name, changesShown),
    directory.tree(name),
  ]);
  const missing = found instanceof CommandError ? found : undefined;
  return { name, entry: found instanceof CommandError ? undefined : found, missing, open, history, tree };
}

function knownJson({ name, entry, open, history, tree }: Known): Record<string, unknown> {
  return {
    ...(entry ? entryJson(entry) : { name: textFromBytes(name), state: 'absent' }),
    ...(open && { case: caseJson(open), waiting: open.waiting ?? open.reason }),
    history: history.map(changeJson),
    tree: tree.map(entryJson),
  };
}

function knownLines({ name, entry, open, history, tree }: Known): string[] {
  const now = Date.now();
  const row: [string, string][] = entry
    ? entryPairs(entry, now)
    : [
        ['name', readable(name)],
        ['state', 'absent'],
      ];
  return [
    ...pairLines([...row, ...(open ? casePairs(open, now) : [])]),
    ...(history.length > 0 ? ['', 'Its history, the newest change first:', ...tableLines(changesTable(history))] : []),
    ...(tree.length > 0 ? ['', 'The tree:', ...tableLines(entriesTable(tree))] : []),
  ];
}

export function mailboxCommand(surroundings: Surroundings, ended: (code: number) => void): Command {
  const command = new Command('mailbox').description('what the directory knows of mailboxes');
  const children = [list(surroundings), where(surroundings), show(surroundings, ended)];
  for (const child of [...children, claimCommand(surroundings, ended)]) command.addCommand(child);
  return command;
}
