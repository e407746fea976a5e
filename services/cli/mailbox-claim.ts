// rookery mailbox claim: the operator's word on which server a mailbox is at, where the directory may not decide by itself.
import { Command } from 'commander';
import { readable } from '../address/bytes.ts';
import { ImapAdmins } from '../backends/imap-admins.ts';
import type { Config } from '../config/schema.ts';
import type { Case } from '../directory/case.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText, mergedLocation, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { isUnderWay } from '../directory/settling.ts';
import { registryOf } from '../process/settings.ts';
import { configOf, configOption, formatOption } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { jsonLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withDirectory } from './with-directory.ts';

interface Options extends ConfigOption, FormatOption {
  from: string;
  to: string;
  unseen: boolean;
  dryRun: boolean;
}

/** What was done about one name, or why nothing was. */
interface Claim {
  name: string;
  result: 'claimed' | 'would claim' | 'left';
  note: string;
}

interface Claiming {
  directory: Directory;
  admins: ImapAdmins;
  to: Bytes;
  unseen: boolean;
  dryRun: boolean;
  by: string;
}

/** Names in question: rows of the one server, and what was deleted there and the other one still holds. */
async function candidates(directory: Directory, pattern: string, from: Bytes, to: Bytes): Promise<Bytes[]> {
  const matches = mailboxPattern(bytesFromText(pattern));
  const [rows, cases] = await Promise.all([directory.list(`${from}!`), directory.cases()]);
  const held = rows.filter((row) => row.version > 0).map(({ name }) => name);
  const copies = cases.filter(({ rivals }) => rivals.some(({ server }) => server === to)).map(({ name }) => name);
  return [...new Set([...held, ...copies])].filter(matches).sort();
}

/** Where the server says the mailbox is; undefined when nobody knows that it holds it. */
async function evidence(
  name: Bytes,
  row: Entry | undefined,
  open: Case | undefined,
  { admins, to, unseen }: Claiming,
): Promise<{ at: { location: Bytes; acl: Bytes }; note: string } | undefined> {
  const rival = open?.rivals.find(({ server }) => server === to);
  if (rival) return { at: rival, note: 'it has said so in a push' };
  // The partition comes with its next push, or with MUPDATEPUSH.
  const at = { location: mergedLocation(row?.location ?? '', `${to}!`), acl: row?.acl ?? '' };
  const has = await admins.ask(to, (admin) => admin.holds(name)).catch(() => undefined);
  if (has === 'has') return { at, note: 'it says so by IMAP' };
  return unseen ? { at, note: 'unseen' } : undefined;
}

async function claim(name: Bytes, from: Bytes, claiming: Claiming): Promise<Claim> {
  const { directory, to, dryRun, by } = claiming;
  const told = (result: Claim['result'], note: string): Claim => ({ name: readable(name), result, note });
  const [[row], open] = [(await directory.lookup([name])).entries, await directory.case(name)];
  if (row && serverOf(row.location) !== from) return told('left', `it is at ${readable(serverOf(row.location))}`);
  if (row?.state === 'tombstone') return told('left', 'it is being deleted');
  if (row && isUnderWay(row)) return told('left', `a session is at work on it: ${row.session ?? ''}`);
  const proof = await evidence(name, row, open, claiming);
  if (!proof) return told('left', `nobody knows that ${readable(to)} holds it: see --unseen`);
  if (dryRun) return told('would claim', proof.note);
  const session = `claim-${process.pid}`;
  const known = { name, expected: row, rung: open?.rung } as const;
  const resolution = { ...known, action: 'claim', forget: [], at: proof.at, session, by } as const;
  if (!(await directory.resolve(resolution))) return told('left', 'it changed meanwhile: claim it again');
  return told('claimed', proof.note);
}

async function claimAll(
  pattern: string,
  options: Options,
  config: Config,
  surroundings: Surroundings,
): Promise<Claim[]> {
  const registry = registryOf(config);
  // Rows may be left of a server that is a backend no more: they are claimed from it.
  if (!registry.find(options.to)) {
    const known = registry.all().map(({ name }) => name);
    const those = known.join(', ') || 'none';
    throw new CommandError(exit.usage, `'${options.to}' is none of the backends: there are ${those}`);
  }
  if (options.from === options.to) throw new CommandError(exit.usage, '--from and --to are the same server');
  const admins = new ImapAdmins(registry, config.workers.imap_timeout * 1000);
  const [from, to] = [bytesFromText(options.from), bytesFromText(options.to)];
  try {
    return await withDirectory(config, surroundings, async (directory) => {
      const claiming = {
        directory,
        admins,
        to,
        unseen: options.unseen,
        dryRun: options.dryRun,
        by: operatorOf(surroundings),
      };
      const claims: Claim[] = [];
      for (const name of await candidates(directory, pattern, from, to)) claims.push(await claim(name, from, claiming));
      return claims;
    });
  } finally {
    await admins.close();
  }
}

export function claimCommand(surroundings: Surroundings, ended: (code: number) => void): Command {
  return new Command('claim')
    .description('give mailboxes that the directory places on one server to another one that holds them, too')
    .argument('<pattern>', 'which names: * stands for anything, % for anything up to the next dot')
    .requiredOption('--from <server>', 'the server that the directory places them on')
    .requiredOption('--to <server>', 'the server that is to have them')
    .option('--unseen', 'also those of which nobody knows that the other server holds them', false)
    .option('-n, --dry-run', 'tell what would be done, and do nothing', false)
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nThe copy that loses stays at its server: remove it there with LOCALDELETE, which tells the directory nothing.\nExit codes: 0 all were claimed, or would be, 67 none matches, 75 some were not.\n\nExamples:\n  rookery mailbox claim user.jdoe --from mail1.example.org --to mail2.example.org\n  rookery mailbox claim "user.*" --from mail1.example.org --to mail2.example.org --dry-run',
    )
    .action(async (pattern: string, options: Options) => {
      const claims = await claimAll(pattern, options, configOf(options, surroundings), surroundings);
      const rows = claims.map(({ name, result, note }) => [name, result, note]);
      const table = { columns: ['name', 'result', 'note'], rows };
      const lines = () => (rows.length === 0 ? [`nothing at ${options.from} matches`] : tableLines(table));
      (options.format === 'json' ? jsonLines(claims) : lines()).forEach(surroundings.out);
      if (claims.length === 0) ended(exit.noUser);
      else ended(claims.every(({ result }) => result !== 'left') ? exit.ok : exit.temporary);
    });
}
