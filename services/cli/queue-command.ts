// rookery queue: what waits in the queues of events, what went wrong there, and trying that again.
import { Argument, Command, Option } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import { readable } from '../address/bytes.ts';
import { jobStates } from '../events/backlog.ts';
import type { JobState } from '../events/backlog.ts';
import { queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeNumber, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { jsonLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withQueues } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

function queueArgument(): Argument {
  return new Argument('<queue>', 'the queue').choices(queueNames);
}

function list(surroundings: Surroundings): Command {
  return withOptions(new Command('list'), [formatOption(), ...whereOptions()])
    .description('list the queues: how many jobs each has in which state, and how long the next one has waited')
    .addHelpText('after', '\nExamples:\n  rookery queue list\n  rookery queue list -f json')
    .action(async (options: Options) => {
      const found = await withQueues(options, surroundings, (queues) => queues.list());
      const rows = found.map(({ queue, jobs, oldest_age_seconds }) => [
        ...[queue, ...jobStates.map((state) => String(jobs[state]))],
        `${oldest_age_seconds} s`,
      ]);
      const table = { columns: ['queue', ...jobStates, 'oldest'], rows };
      (options.format === 'json' ? jsonLines(found) : tableLines(table)).forEach(surroundings.out);
    });
}

function show(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description('show the jobs of a queue, newest first, with what was found or went wrong')
    .addArgument(queueArgument())
    .addOption(new Option('-s, --state <state>', 'only those in this state').choices(jobStates))
    .addOption(new Option('-n, --limit <number>', 'at most so many').argParser(wholeNumber).default(50))
    .addHelpText(
      'after',
      '\nExamples:\n  rookery queue show reconcile\n  rookery queue show reconcile --state failed -f json',
    )
    .action(async (queue: QueueName, options: Options & { state?: JobState; limit: number }) => {
      const { state, limit } = options;
      const jobs = await withQueues(options, surroundings, (queues) => queues.jobs(queue, { state, limit }));
      const rows = jobs.map((job) => [
        ...[job.id, job.state, job.about, String(job.attempts), job.since],
        // A backend's words may be several lines.
        readable(bytesFromText(job.reason ?? '')),
      ]);
      const table = { columns: ['id', 'state', 'about', 'attempts', 'since', 'reason'], rows };
      const lines = () => (rows.length === 0 ? ['no job is there'] : tableLines(table));
      (options.format === 'json' ? jsonLines(jobs) : lines()).forEach(surroundings.out);
    });
}

function retry(surroundings: Surroundings): Command {
  return withOptions(new Command('retry'), whereOptions())
    .description('try failed jobs of a queue again, with all their attempts')
    .addArgument(queueArgument())
    .option('-i, --id <id>', 'only the one with this id')
    .addHelpText(
      'after',
      '\nExit codes: 65 no failed job has this id.\n\nExamples:\n  rookery queue retry reconcile\n  rookery queue retry reconcile --id 17',
    )
    .action(async (queue: QueueName, options: ApiOptions & { id?: string }) => {
      const retried = await withQueues(options, surroundings, (queues) => queues.retry(queue, options.id));
      surroundings.out(`${retried} ${retried === 1 ? 'job is' : 'jobs are'} tried again`);
    });
}

function discard(surroundings: Surroundings): Command {
  return withOptions(new Command('discard'), whereOptions())
    .description('take a job out of a queue, whatever its state, unless it is worked on now')
    .addArgument(queueArgument())
    .argument('<id>', 'the id of the job')
    .addHelpText(
      'after',
      '\nExit codes: 65 no job has this id, 75 it is worked on.\n\nExamples:\n  rookery queue discard reconcile 17',
    )
    .action(async (queue: QueueName, id: string, options: ApiOptions) => {
      const job = await withQueues(options, surroundings, (queues) => queues.discard(queue, id));
      surroundings.out(`job ${job.id} about ${job.about} is discarded`);
    });
}

export function queueCommand(surroundings: Surroundings): Command {
  const command = new Command('queue').description('what waits in the queues of events');
  for (const child of [list, show, retry, discard]) command.addCommand(child(surroundings));
  return command;
}
