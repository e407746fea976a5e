// rookery backend: which backends there are and how they stand, and the steps of their life.
import { Command, InvalidArgumentError } from 'commander';
import { treesText } from '../moves/plan.ts';
import type { BackendOperations, PlainWish } from '../operations/backend-operations.ts';
import { pointerText } from '../operations/backend-pointers.ts';
import type { BackendValue } from '../operations/backend-value.ts';
import type { ApiOptions } from './api-client.ts';
import { backendPairs, backendRow, columns } from './backend-view.ts';
import { duration, formatOption, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { exit } from './exit-codes.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import { operatorOf } from './surroundings.ts';
import type { Surroundings } from './surroundings.ts';
import { withBackends } from './with-operations.ts';

type Options = ApiOptions & FormatOption;
type End = (code: number) => void;

function command(name: string): Command {
  return withOptions(new Command(name), [formatOption(), ...whereOptions()]);
}

/** One on a backend. */
function onOne(name: string): Command {
  return command(name).argument('<name>', 'the backend, as in the configuration');
}

function percent(text: string): number {
  const number = Number(text);
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || number > 100)
    throw new InvalidArgumentError('It must be a number from 0 to 100.');
  return number;
}

function list(surroundings: Surroundings): Command {
  return command('list')
    .description('list the backends: state, fence, what they have, room, and whether they take mail now')
    .addHelpText('after', '\nExamples:\n  rookery backend list\n  rookery backend list -f json')
    .action(async (options: Options) => {
      const found = await withBackends(options, surroundings, (backends) => backends.list());
      const lines = options.format === 'json' ? jsonLines(found) : tableLines({ columns, rows: found.map(backendRow) });
      lines.forEach(surroundings.out);
    });
}

function show(surroundings: Surroundings): Command {
  return onOne('show')
    .description('show how one backend stands, and who said so')
    .addHelpText('after', '\nExamples:\n  rookery backend show mail2.example.org')
    .action(async (name: string, options: Options) => {
      const found = await withBackends(options, surroundings, (backends) => backends.show(name));
      (options.format === 'json' ? [JSON.stringify(found)] : pairLines(backendPairs(found))).forEach(surroundings.out);
    });
}

function add(surroundings: Surroundings, end: End): Command {
  return onOne('add')
    .description('look at all that a backend of the configuration must be fit for, and take it into use')
    .option('--canary', 'as a canary, for a share of the new users')
    .option('--share <percent>', 'with --canary: so many of 100 new users (default: 5)', percent)
    .option('--new', 'only look: it gets nobody until canary or activate is said')
    .addHelpText(
      'after',
      '\nExit codes: 65 something is wrong with it; what was never used stays new then, and gets nobody.\n\nExamples:\n  rookery backend add mail3.example.org\n  rookery backend add mail3.example.org --canary --share 2',
    )
    .action(async (name: string, options: Options & { canary?: true; new?: true; share?: number }) => {
      const stage = options.new ? 'new' : options.canary ? 'canary' : 'active';
      const wish = { is: 'add', stage, ...(options.share !== undefined && { share: options.share }) } as const;
      const found = await withBackends(options, surroundings, (backends) =>
        backends.add(name, wish, operatorOf(surroundings)),
      );
      if (!found.passed) end(exit.data);
      if (options.format === 'json') {
        surroundings.out(JSON.stringify(found));
        return;
      }
      const rows = found.checks.map(({ what, is, note }) => [what, is, note]);
      tableLines({ columns: ['check', 'found', 'note'], rows }).forEach(surroundings.out);
      surroundings.out(`${found.backend.name}: ${standing(found.backend)}`);
    });
}

function standing({ state, share, fenced, configured }: BackendValue): string {
  const staged = share === undefined ? state : `${state}, for ${share}% of new users`;
  const held = configured.length === 0 ? '' : ` (the configuration says ${configured.join(' and ')})`;
  return `${staged}${fenced && state !== 'retired' ? ', fenced' : ''}${held}`;
}

/** Says one thing, and tells how it stands then. */
async function say(name: string, wish: PlainWish, options: Options, surroundings: Surroundings): Promise<void> {
  const found = await withBackends(options, surroundings, (backends) =>
    backends.say(name, wish, operatorOf(surroundings)),
  );
  surroundings.out(options.format === 'json' ? JSON.stringify(found) : `${found.name}: ${standing(found)}`);
}

function canary(surroundings: Surroundings): Command {
  return onOne('canary')
    .description('let a backend have a share of the new users, and whom you place there by name')
    .option('--share <percent>', 'so many of 100 new users (default: 5)', percent)
    .addHelpText('after', '\nExamples:\n  rookery backend canary mail3.example.org --share 2')
    .action(async (name: string, options: Options & { share?: number }) => {
      const wish = { is: 'canary', ...(options.share !== undefined && { share: options.share }) } as const;
      await say(name, wish, options, surroundings);
    });
}

const plain = {
  activate: 'let a backend have new users as placement decides',
  undrain: 'make a backend what it was before it drained',
  unfence: 'deliver mail to a backend again',
} as const;

function plainly(is: keyof typeof plain, surroundings: Surroundings): Command {
  return onOne(is)
    .description(plain[is])
    .addHelpText('after', `\nExamples:\n  rookery backend ${is} mail2.example.org`)
    .action((name: string, options: Options) => say(name, { is }, options, surroundings));
}

function fence(surroundings: Surroundings): Command {
  return onOne('fence')
    .description('put off mail for the mailboxes of a backend: every process obeys within a second')
    .requiredOption('-r, --reason <text>', 'why, for whoever wonders')
    .option('--for <time>', 'over by itself after 90s, 30m, 12h, 7d', duration)
    .addHelpText(
      'after',
      '\nExamples:\n  rookery backend fence mail2.example.org --for 10m --reason "disk is being replaced"',
    )
    .action(async (name: string, options: Options & { reason: string; for?: number }) => {
      const until = options.for === undefined ? {} : { until: Date.now() + options.for };
      await say(name, { is: 'fence', reason: options.reason, ...until }, options, surroundings);
    });
}

function drain(surroundings: Surroundings): Command {
  return onOne('drain')
    .description('let a backend have no new users; mail to those it has goes on')
    .option(
      '--move',
      'and move everybody out, and whoever comes meanwhile, until undrain (backend show tells how far it is)',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  rookery backend drain mail2.example.org\n  rookery backend drain mail2.example.org --move',
    )
    .action(async (name: string, options: Options & { move?: true }) => {
      const by = operatorOf(surroundings);
      const found = await withBackends(options, surroundings, (backends) =>
        backends.drain(name, { move: options.move === true, by }),
      );
      if (options.format === 'json') {
        surroundings.out(JSON.stringify(found));
        return;
      }
      const { backend, next } = found;
      surroundings.out(`${backend.name}: ${standing(backend)}; it has ${treesText(backend.trees)}`);
      surroundings.out('next:');
      for (const line of next) surroundings.out(`  ${line}`);
    });
}

function retire(surroundings: Surroundings, end: End): Command {
  return onOne('retire')
    .description('let nothing go to a backend any more; refused while anything points to it')
    .option('--dry-run', 'only say what points to it')
    .addHelpText(
      'after',
      '\nExit codes: 75 something points to it, or it does not drain.\n\nExamples:\n  rookery backend retire mail2.example.org --dry-run\n  rookery backend retire mail2.example.org',
    )
    .action(async (name: string, options: Options & { dryRun?: true }) => {
      const choice = { dryRun: options.dryRun === true, by: operatorOf(surroundings) };
      const found = await withBackends(options, surroundings, (backends) => backends.retire(name, choice));
      if (found.pointers.length > 0) end(exit.temporary);
      if (options.format === 'json') surroundings.out(JSON.stringify(found));
      else retiredLines(found).forEach(surroundings.out);
    });
}

function retiredLines({ backend, pointers, remove }: Awaited<ReturnType<BackendOperations['retire']>>): string[] {
  if (pointers.length > 0)
    return [`${backend.name}: there point to it`, ...pointers.map((one) => `  ${pointerText(one)}`)];
  const can =
    backend.state === 'retired' ? 'these keys of the configuration can go:' : 'nothing points to it; then can go:';
  return [`${backend.name}: ${standing(backend)}; ${can}`, ...remove.map((key) => `  ${key}`)];
}

export function backendCommand(surroundings: Surroundings, end: End): Command {
  const parent = new Command('backend').description('the backends, and the steps of their life');
  const children = [
    ...[list(surroundings), show(surroundings), add(surroundings, end), canary(surroundings)],
    ...[plainly('activate', surroundings), drain(surroundings), plainly('undrain', surroundings)],
    ...[fence(surroundings), plainly('unfence', surroundings), retire(surroundings, end)],
  ];
  for (const child of children) parent.addCommand(child);
  return parent;
}
