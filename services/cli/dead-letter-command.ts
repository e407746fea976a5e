// rookery queue retry and discard: what becomes of jobs that were given up.
import { Command, Option } from 'commander';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { JobView } from '../events/backlog.ts';
import type { DeadLetterFilter } from '../events/dead-letters.ts';
import { failureKinds } from '../events/failure.ts';
import type { FailureKind } from '../events/failure.ts';
import type { QueueName } from '../events/queues.ts';
import { configOption, duration } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jobsTable } from './job-view.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { queueArgument, withQueues } from './queue-argument.ts';
import { tableLines } from './render.ts';
import type { OpenBacklog, Surroundings } from './surroundings.ts';

interface Options extends ConfigOption {
  id?: string;
  kind?: FailureKind;
  about?: string;
  olderThan?: number;
  dryRun?: boolean;
  all?: boolean;
}

function filterOf({ id, kind, about, olderThan }: Options): DeadLetterFilter {
  return {
    ...{ id, kind },
    about: about === undefined ? undefined : mailboxPattern(bytesFromText(about)),
    before: olderThan === undefined ? undefined : Date.now() - olderThan,
  };
}

/** The options by which dead letters are chosen. */
function choosing(command: Command): Command {
  return command
    .addArgument(queueArgument())
    .option('-i, --id <id>', 'only the one with this id')
    .addOption(new Option('-k, --kind <kind>', 'only those given up for this kind of failure').choices(failureKinds))
    .option('-a, --about <pattern>', 'only those about such names: * is anything, % anything up to the next dot')
    .addOption(
      new Option('-o, --older-than <time>', 'only those given up so long ago: 90s, 30m, 12h, 7d').argParser(duration),
    )
    .option('-n, --dry-run', 'only show which ones it would be')
    .addOption(configOption());
}

const counted = (jobs: readonly JobView[], one: string, many: string) =>
  `${jobs.length} ${jobs.length === 1 ? `job ${one}` : `jobs ${many}`}`;

type DeadLetters = OpenBacklog['deadLetters'];

/** Does it, or shows what it would be done to; gives the jobs. */
async function treat(
  queue: QueueName,
  options: Options,
  surroundings: Surroundings,
  act: (deadLetters: DeadLetters, filter: DeadLetterFilter) => Promise<JobView[]>,
): Promise<JobView[]> {
  const filter = filterOf(options);
  const jobs = await withQueues(options, surroundings, ({ deadLetters }) =>
    options.dryRun === true ? deadLetters.find(queue, filter) : act(deadLetters, filter),
  );
  if (options.id !== undefined && jobs.length === 0) {
    const others = [options.kind, options.about, options.olderThan].some((one) => one !== undefined);
    const which = `${readable(bytesFromText(options.id))}${others ? ' for which all of this holds' : ''}`;
    throw new CommandError(exit.data, `${queue} has no failed job ${which}`);
  }
  if (options.dryRun === true && jobs.length > 0) tableLines(jobsTable(jobs)).forEach(surroundings.out);
  return jobs;
}

export function retryCommand(surroundings: Surroundings): Command {
  return choosing(new Command('retry').description('try failed jobs of a queue again, with all their attempts'))
    .addHelpText(
      'after',
      '\nExit codes: 65 no failed job has this id.\n\nExamples:\n  rookery queue retry reconcile\n  rookery queue retry reconcile --id 17\n  rookery queue retry moves --kind away --about "user.%" --dry-run',
    )
    .action(async (queue: QueueName, options: Options) => {
      const jobs = await treat(queue, options, surroundings, (deadLetters, filter) => deadLetters.retry(queue, filter));
      const again = options.dryRun === true ? ['would be', 'would be'] : ['is', 'are'];
      surroundings.out(`${counted(jobs, again[0] ?? '', again[1] ?? '')} tried again`);
    });
}

export function discardCommand(surroundings: Surroundings): Command {
  return choosing(new Command('discard').description('remove failed jobs of a queue; nobody tries them again'))
    .option('--all', 'all of them')
    .addHelpText(
      'after',
      '\nExit codes: 65 no failed job has this id.\n\nExamples:\n  rookery queue discard reconcile --id 17\n  rookery queue discard moves --kind refused --older-than 7d',
    )
    .action(async (queue: QueueName, options: Options) => {
      const { id, kind, about, olderThan, all } = options;
      if ([id, kind, about, olderThan, all].every((one) => one === undefined)) {
        throw new CommandError(exit.usage, 'say which ones: --id, --kind, --about, --older-than, or --all');
      }
      const jobs = await treat(queue, options, surroundings, (letters, filter) => letters.discard(queue, filter));
      const gone = options.dryRun === true ? ['would be', 'would be'] : ['is', 'are'];
      surroundings.out(`${counted(jobs, gone[0] ?? '', gone[1] ?? '')} discarded`);
    });
}
