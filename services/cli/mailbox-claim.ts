// rookery mailbox claim: the operator's word on which server a mailbox is at, where the directory may not decide by itself.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { exit } from './exit-codes.ts';
import { jsonLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-operations.ts';

interface Options extends ApiOptions, FormatOption {
  from: string;
  to: string;
  unseen: boolean;
  dryRun: boolean;
}

export function claimCommand(surroundings: Surroundings, ended: (code: number) => void): Command {
  return withOptions(new Command('claim'), [formatOption(), ...whereOptions()])
    .description('give mailboxes that the directory places on one server to another one that holds them, too')
    .argument('<pattern>', 'which names: * stands for anything, % for anything up to the next dot')
    .requiredOption('--from <server>', 'the server that the directory places them on')
    .requiredOption('--to <server>', 'the server that is to have them')
    .option('--unseen', 'also those of which nobody knows that the other server holds them', false)
    .option('-n, --dry-run', 'tell what would be done, and do nothing', false)
    .addHelpText(
      'after',
      '\nThe copy that loses stays at its server: remove it there with LOCALDELETE, which tells the directory nothing.\nExit codes: 0 all were claimed, or would be, 67 none matches, 75 some were not.\n\nExamples:\n  rookery mailbox claim user.jdoe --from mail1.example.org --to mail2.example.org\n  rookery mailbox claim "user.*" --from mail1.example.org --to mail2.example.org --dry-run',
    )
    .action(async (pattern: string, options: Options) => {
      const [from, to] = [bytesFromText(options.from), bytesFromText(options.to)];
      const { unseen, dryRun } = options;
      const order = { pattern: bytesFromText(pattern), from, to, unseen, dryRun, by: operatorOf(surroundings) };
      const claims = await withDirectory(options, surroundings, ({ mailboxes }) => mailboxes.claim(order));
      const rows = claims.map(({ name, result, note }) => [name, result, note]);
      const table = { columns: ['name', 'result', 'note'], rows };
      const lines = () => (rows.length === 0 ? [`nothing at ${options.from} matches`] : tableLines(table));
      (options.format === 'json' ? jsonLines(claims) : lines()).forEach(surroundings.out);
      if (claims.length === 0) ended(exit.noUser);
      else ended(claims.every(({ result }) => result !== 'left') ? exit.ok : exit.temporary);
    });
}
