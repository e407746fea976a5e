// rookery mailbox: what the directory knows of mailboxes.
import { Argument, Command } from 'commander';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import { nameBytes } from '../operations/entry-value.ts';
import { rowOf } from '../operations/mailbox-operations.ts';
import type { AbsenceValue, KnownValue } from '../operations/mailbox-operations.ts';
import { stateText } from '../operations/state-text.ts';
import type { ApiOptions } from './api-client.ts';
import { casePairs, changesTable } from './case-view.ts';
import { formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { entriesTable, entryPairs } from './entry-view.ts';
import { CommandError, exit } from './exit-codes.ts';
import { claimCommand } from './mailbox-claim.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

/** How a command ends where there is no row: 67 where that is certain, else 75. */
function missing(name: string, { proven, doubt = '' }: AbsenceValue): CommandError {
  if (proven) return new CommandError(exit.noUser, `${name}: there is no such mailbox`);
  return new CommandError(exit.temporary, `${name}: not found, but there may be one: ${doubt}`);
}

function list(surroundings: Surroundings): Command {
  return withOptions(new Command('list'), [formatOption(), ...whereOptions()])
    .description('list mailboxes, with server, partition and state')
    .addArgument(
      new Argument('[pattern]', 'which names: * stands for anything, % for anything up to the next dot').default('*'),
    )
    .option('-s, --server <name>', 'only those on this server')
    .addHelpText(
      'after',
      '\nExamples:\n  rookery mailbox list\n  rookery mailbox list "user.%" --server mail1.example.org\n  rookery mailbox list "user.jdoe*" -f json',
    )
    .action(async (pattern: string, options: Options & { server?: string }) => {
      const server = options.server === undefined ? undefined : bytesFromText(options.server);
      const query = { pattern: bytesFromText(pattern), server };
      const entries = await withDirectory(options, surroundings, ({ mailboxes }) => mailboxes.list(query));
      const lines = options.format === 'json' ? jsonLines(entries) : tableLines(entriesTable(entries));
      lines.forEach(surroundings.out);
    });
}

function where(surroundings: Surroundings): Command {
  return withOptions(new Command('where'), [formatOption(), ...whereOptions()])
    .description('print the server and the partition of a mailbox')
    .argument('<name>', 'the mailbox name, as user.jdoe')
    .addHelpText(
      'after',
      '\nExit codes: 67 no such mailbox, 75 reserved or not certain.\n\nExamples:\n  rookery mailbox where user.jdoe\n  rookery mailbox where "example.org!user.jdoe.Sent" -f json',
    )
    .action(async (name: string, options: Options) => {
      const ask = bytesFromText(name);
      const entry = await withDirectory(options, surroundings, ({ mailboxes }) => mailboxes.find(ask));
      if ('proven' in entry) throw missing(readable(ask), entry);
      if (entry.state !== 'active') throw new CommandError(exit.temporary, `${name}: ${stateText(entry)}`);
      const { server, partition } = entry;
      surroundings.out(
        options.format === 'json' ? JSON.stringify({ server, partition }) : `${server} ${partition}`.trimEnd(),
      );
    });
}

function show(surroundings: Surroundings, ended: (code: number) => void): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description('show all that is known of a mailbox: its row, what reconciliation waits for, its history, its tree')
    .argument('<name>', 'the mailbox name, as user.jdoe')
    .addHelpText(
      'after',
      '\nExit codes: 67 no such mailbox, 75 not certain.\n\nExamples:\n  rookery mailbox show user.jdoe\n  rookery mailbox show user.jdoe -f json',
    )
    .action(async (name: string, options: Options) => {
      const ask = bytesFromText(name);
      const known = await withDirectory(options, surroundings, ({ mailboxes }) => mailboxes.show(ask));
      if (options.format === 'json') surroundings.out(JSON.stringify(known));
      else knownLines(known).forEach(surroundings.out);
      if (known.absence) throw missing(readable(ask), known.absence);
      ended(exit.ok);
    });
}

function knownLines(known: KnownValue): string[] {
  const now = Date.now();
  const { case: open, history, tree } = known;
  const entry = rowOf(known);
  const row: [string, string][] = entry
    ? entryPairs(entry, now)
    : [
        ['name', readable(nameBytes(known))],
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
