// rookery queue retry and discard: what becomes of jobs that were given up, or that nobody is to do.
import { Command, Option } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import { failureKinds } from '../events/failure.ts';
import type { FailureKind } from '../events/failure.ts';
import type { QueueName } from '../events/queues.ts';
import type { JobValue } from '../operations/job-value.ts';
import type { JobChoice } from '../operations/queue-operations.ts';
import type { ApiOptions } from './api-client.ts';
import { duration, whereOptions, withOptions } from './command-options.ts';
import { jobsTable } from './job-view.ts';
import { queueArgument } from './queue-argument.ts';
import { tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withQueues } from './with-operations.ts';

interface Options extends ApiOptions {
  id?: string;
  kind?: FailureKind;
  about?: string;
  olderThan?: number;
  dryRun: boolean;
}

function choiceOf({ id, kind, about, olderThan, dryRun }: Options): JobChoice {
  return {
    ...{ id, kind, dryRun },
    about: about === undefined ? undefined : bytesFromText(about),
    before: olderThan === undefined ? undefined : Date.now() - olderThan,
  };
}

/** The options by which jobs are chosen. */
function choosing(command: Command): Command {
  return withOptions(command, whereOptions())
    .addArgument(queueArgument())
    .option('-i, --id <id>', 'only the one with this id')
    .addOption(
      new Option(
        '-k, --kind <kind>',
        'only those given up for this kind of failure (of those that wait: failed so last)',
      ).choices(failureKinds),
    )
    .option('-a, --about <pattern>', 'only those about such names: * is anything, % anything up to the next dot')
    .addOption(
      new Option(
        '-o, --older-than <time>',
        'only those given up (or come in) so long ago: 90s, 30m, 12h, 7d',
      ).argParser(duration),
    )
    .option('-n, --dry-run', 'only show which ones it would be', false);
}

/** Tells what became of them, or would. */
function tell(jobs: readonly JobValue[], done: string, { dryRun }: Options, { out }: Surroundings): void {
  if (dryRun && jobs.length > 0) tableLines(jobsTable(jobs)).forEach(out);
  const [noun, verb] = jobs.length === 1 ? ['job', 'is'] : ['jobs', 'are'];
  out(`${jobs.length} ${noun} ${dryRun ? 'would be' : verb} ${done}`);
}

export function retryCommand(surroundings: Surroundings): Command {
  return choosing(new Command('retry').description('try failed jobs of a queue again, with all their attempts'))
    .addHelpText(
      'after',
      '\nExit codes: 65 no failed job has this id.\n\nExamples:\n  rookery queue retry reconcile\n  rookery queue retry reconcile --id 17\n  rookery queue retry moves --kind away --about "user.%" --dry-run',
    )
    .action(async (queue: QueueName, options: Options) => {
      const jobs = await withQueues(options, surroundings, (queues) => queues.retry(queue, choiceOf(options)));
      tell(jobs, 'tried again', options, surroundings);
    });
}

export function discardCommand(surroundings: Surroundings): Command {
  return choosing(
    new Command('discard').description('remove failed jobs of a queue, or those that wait; nobody tries them any more'),
  )
    .option('--all', 'all of them', false)
    .option('-w, --waiting', 'not those that failed, but those that wait, in line or put off', false)
    .addHelpText(
      'after',
      '\nWhat is still open is rung for again within a minute: an order, a case, events of a tree. What is being worked on stays.\nExit codes: 65 no such job has this id, 75 it is being worked on.\n\nExamples:\n  rookery queue discard reconcile --id 17\n  rookery queue discard moves --kind refused --older-than 7d\n  rookery queue discard replication --waiting --about "user.jdoe"',
    )
    .action(async (queue: QueueName, options: Options & { all: boolean; waiting: boolean }) => {
      const choice = { ...choiceOf(options), all: options.all, waiting: options.waiting };
      const jobs = await withQueues(options, surroundings, (queues) => queues.discard(queue, choice));
      tell(jobs, 'discarded', options, surroundings);
    });
}
