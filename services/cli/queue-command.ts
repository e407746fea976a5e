// rookery queue: what waits in the queues of events, what went wrong there, and what becomes of that.
import { Command, Option } from 'commander';
import { jobStates } from '../events/backlog.ts';
import type { JobState } from '../events/backlog.ts';
import type { QueueName } from '../events/queues.ts';
import type { ApiOptions } from './api-client.ts';
import { formatOption, whereOptions, wholeNumber, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { discardCommand, retryCommand } from './dead-letter-command.ts';
import { jobsTable, wholeJobPairs } from './job-view.ts';
import { queueArgument } from './queue-argument.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withQueues } from './with-operations.ts';

type Options = ApiOptions & FormatOption;

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

interface ShowOptions extends Options {
  state?: JobState;
  limit: number;
  id?: string;
}

async function showJobs(queue: QueueName, options: ShowOptions, surroundings: Surroundings): Promise<void> {
  const { state, limit } = options;
  const jobs = await withQueues(options, surroundings, (queues) => queues.jobs(queue, { state, limit }));
  const lines = () => (jobs.length === 0 ? ['no job is there'] : tableLines(jobsTable(jobs)));
  (options.format === 'json' ? jsonLines(jobs) : lines()).forEach(surroundings.out);
}

async function showJob(queue: QueueName, id: string, options: ShowOptions, surroundings: Surroundings): Promise<void> {
  const job = await withQueues(options, surroundings, (queues) => queues.job(queue, id));
  const lines = options.format === 'json' ? jsonLines([job]) : pairLines(wholeJobPairs(job));
  lines.forEach(surroundings.out);
}

function show(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description(
      'show the jobs of a queue, newest first, with what was found or went wrong; or one with all of it. Events of trees that were set aside are failed ones here, with ids like event:17',
    )
    .addArgument(queueArgument())
    .addOption(new Option('-s, --state <state>', 'only those in this state').choices(jobStates))
    .addOption(new Option('-n, --limit <number>', 'at most so many').argParser(wholeNumber).default(50))
    .option('-i, --id <id>', 'only this one: its failures, progress, log, worker, trace and payload')
    .addHelpText(
      'after',
      '\nExit codes: 65 no job has this id.\n\nExamples:\n  rookery queue show reconcile\n  rookery queue show reconcile --state failed -f json\n  rookery queue show reconcile --id 17',
    )
    .action(async (queue: QueueName, options: ShowOptions) => {
      if (options.id === undefined) await showJobs(queue, options, surroundings);
      else await showJob(queue, options.id, options, surroundings);
    });
}

export function queueCommand(surroundings: Surroundings): Command {
  const command = new Command('queue').description('what waits in the queues of events');
  for (const child of [list, show, retryCommand, discardCommand]) command.addCommand(child(surroundings));
  return command;
}
