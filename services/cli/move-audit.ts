// rookery move audit, leftovers, discard: whether directory and servers agree after a move, and what is to go.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import { treesText } from '../moves/plan.ts';
import type { DiscardValue } from '../operations/discarding.ts';
import type { AuditChoice, AuditedValue, FindingValue } from '../operations/left-over-operations.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jsonLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withLeftOvers } from './with-operations.ts';

type Options = ApiOptions & FormatOption;
type End = (code: number) => void;

const columns = ['found', 'tree', 'server', 'active at', 'mailboxes', 'since'];

function row({ kind, tree, server, at, mailboxes, since }: FindingValue): string[] {
  return [kind, tree, server, at ?? '', String(mailboxes.length), since];
}

function command(name: string): Command {
  return withOptions(new Command(name), [formatOption(), ...whereOptions()]);
}

/** One thing that is looked at, of the three that may be. */
function choiceOf(names: readonly string[], { run, server }: { run?: string; server?: string }): AuditChoice {
  const said = [names.length > 0, run !== undefined, server !== undefined].filter(Boolean);
  if (said.length !== 1) throw new CommandError(exit.usage, 'say what is audited: names, or --run, or --server');
  if (run !== undefined) return { run };
  return server === undefined ? { names: names.map(bytesFromText) } : { server };
}

function audit(surroundings: Surroundings, end: End): Command {
  return command('audit')
    .description('hold the directory and the servers against each other, and name what is not right')
    .argument('[name...]', 'trees by their mailboxes: user.jdoe; every backend is asked for them')
    .option('--run <run>', 'the trees of a run, at the two servers of each move')
    .option('-s, --server <server>', 'all that a server has, or should have')
    .addHelpText(
      'after',
      '\nFiles that lie on a disk without being in the list of mailboxes of their server are not seen.\n\nExit codes: 65 something is not right, or nobody has what is named, 75 not all could be looked at.\n\nExamples:\n  rookery move audit --run 20261127-171408-3f9a\n  rookery move audit user.jdoe user.ann\n  rookery move audit --server mail2.example.org',
    )
    .action(async (names: string[], options: Options & { run?: string; server?: string }) => {
      const choice = choiceOf(names, options);
      const found = await withLeftOvers(options, surroundings, (leftOvers) => leftOvers.audit(choice));
      if (found.findings.length + found.nowhere.length > 0) end(exit.data);
      else if (found.silent.length + found.later.length > 0) end(exit.temporary);
      (options.format === 'json' ? [JSON.stringify(found)] : auditLines(found)).forEach(surroundings.out);
    });
}

const unknownNote =
  'unknown: the directory does not know it; what can be done is told by: rookery move discard NAME --server SERVER --deleted REASON --dry-run';

function auditLines({ trees, findings, silent, nowhere, later, note }: AuditedValue): string[] {
  const findingsText = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return [
    ...(findings.length === 0 ? [] : tableLines({ columns, rows: findings.map(row) })),
    ...silent.map((line) => `silent: ${line}`),
    ...nowhere.map((tree) => `${tree}: neither the directory nor any server has it; its name may be misspelt`),
    ...later.map((line) => `not now: ${line}`),
    ...(findings.some(({ kind }) => kind === 'unknown') ? [unknownNote] : []),
    `${treesText(trees)} ${trees === 1 ? 'was' : 'were'} looked at, ${findingsText}; ${note}`,
  ];
}

/** What a server has and nobody asks it for, or may have. */
const left: readonly FindingValue['kind'][] = ['left-over', 'unknown', 'unasked', 'removing'];

function leftovers(surroundings: Surroundings): Command {
  return command('leftovers')
    .description(
      'list what moves and audits have found left over, unknown, or not to be asked for yet, the oldest first',
    )
    .option('-a, --all', 'all that they have found')
    .addHelpText('after', '\nExamples:\n  rookery move leftovers\n  rookery move leftovers --all -f json')
    .action(async (options: Options & { all?: true }) => {
      const all = await withLeftOvers(options, surroundings, (leftOvers) => leftOvers.found(undefined));
      const found = options.all ? all : all.filter(({ kind }) => left.includes(kind));
      const table = () => (found.length === 0 ? ['nothing is known'] : tableLines({ columns, rows: found.map(row) }));
      (options.format === 'json' ? jsonLines(found) : table()).forEach(surroundings.out);
    });
}

interface DiscardOptions {
  server: string;
  dryRun?: true;
  now?: string;
  deleted?: string;
  settled?: string;
}

function discard(surroundings: Surroundings, end: End): Command {
  return command('discard')
    .description('remove what a server has left over of a tree, with proof that it is whole elsewhere')
    .argument('<name>', 'the root of the tree: user.jdoe')
    .requiredOption('-s, --server <server>', 'the server that has the left-over')
    .option('--dry-run', 'only show the proof')
    .option('--now <reason>', 'before it has waited (moves.retention), and why')
    .option('--deleted <reason>', 'a copy that a move has made of a user who was deleted since, and why it may go')
    .option(
      '--settled <reason>',
      'remove nothing: an order that the server has not answered is over, and why that is sure',
    )
    .addHelpText(
      'after',
      '\nThe proof is shown first: an audit has found it, it has waited, it is active elsewhere, nobody moves it, and the active\ncopy has each message of it. With --deleted: that the directory does not have it, that a move has copied it there, and that\nno other backend has it: the mail that is counted is gone for good then. Where a server was told and has not answered,\nnothing is moved there until a restart of Cyrus there, say, has made sure that it is at it no more, and --settled says so.\n\nExit codes: 75 anything of that is missing; it stays then.\n\nExamples:\n  rookery move discard user.jdoe --server mail1.example.org --dry-run\n  rookery move discard user.jdoe --server mail1.example.org',
    )
    .action(async (text: string, options: Options & DiscardOptions) => {
      const { server, now, deleted, settled, dryRun = false, format } = options;
      const [name, by] = [bytesFromText(text), operatorOf(surroundings)];
      const told = (value: DiscardValue) => (format === 'json' ? [JSON.stringify(value)] : discardLines(value));
      await withLeftOvers(options, surroundings, async (leftOvers) => {
        const before = await leftOvers.discard(name, { server, now, deleted, settled, by, dryRun: dryRun || !settled });
        if (settled !== undefined) {
          told(before).forEach(surroundings.out);
          return;
        }
        if (before.result === 'kept') end(exit.temporary);
        if (dryRun || before.result === 'kept' || format !== 'json') told(before).forEach(surroundings.out);
        if (dryRun || before.result === 'kept') return;
        const done = await leftOvers.discard(name, { server, now, deleted, by, dryRun: false });
        if (done.note !== undefined) end(exit.temporary);
        (format === 'json' ? told(done) : [endLine(done)]).forEach(surroundings.out);
      });
    });
}

function discardLines(value: DiscardValue): string[] {
  const { tree, server, mailboxes, messages, octets, at = 'nowhere', proof } = value;
  const rows = proof.map(({ what, is, note }) => [what, is ? 'yes' : 'NO', note]);
  return [
    `${tree} at ${server}: ${mailboxes.length} mailboxes, ${messages} messages, ${octets} octets; active at ${at}`,
    ...tableLines({ columns: ['proof', 'so', 'note'], rows }),
    ...(value.result === 'kept' ? [endLine(value)] : []),
  ];
}

function endLine({ tree, server, result, left: lists, note }: DiscardValue): string {
  if (result === 'kept') return `${tree} stays at ${server}`;
  const still = lists.length === 0 ? '' : `, which still lists ${lists.join(', ')}`;
  return `${tree} is removed from ${server}${still}${note === undefined ? '' : `; but ${note}`}`;
}

export function auditCommands(surroundings: Surroundings, end: End): Command[] {
  return [audit(surroundings, end), leftovers(surroundings), discard(surroundings, end)];
}
