// rookery queue: what waits in the queues of events, what went wrong there, and trying that again.
import { Argument, Command, Option } from 'commander';
import { readable } from '../address/bytes.ts';
import { jobStates } from '../events/backlog.ts';
import type { JobState, JobView } from '../events/backlog.ts';
import { queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import { configOf, configOption, formatOption, wholeNumber } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jsonLines, tableLines } from './render.ts';
import type { OpenBacklog, Surroundings } from './surroundings.ts';

type Options = ConfigOption & FormatOption;
type Backlog = OpenBacklog['backlog'];

function queueArgument(): Argument {
  return new Argument('<queue>', 'the queue').choices(queueNames);
}

/** Lets `ask` have the queues. Queues that cannot be opened end the command with 69, ones that fail with 75. */
async function withBacklog<T>(
  options: ConfigOption,
  surroundings: Surroundings,
  ask: (backlog: Backlog) => Promise<T>,
): Promise<T> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const opened = await surroundings.openBacklog(configOf(options, surroundings)).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `the queues cannot be opened: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await ask(opened.backlog);
  } catch (error) {
    throw new CommandError(exit.temporary, `the queues could not be asked: ${messageOf(error)}`, { cause: error });
  } finally {
    await opened.close();
  }
}

function list(surroundings: Surroundings): Command {
  return new Command('list')
    .description('list the queues: how many jobs each has in which state, and how long the next one has waited')
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery queue list\n  rookery queue list -f json')
    .action(async (options: Options) => {
      const found = await withBacklog(options, surroundings, (backlog) =>
        Promise.all(
          queueNames.map(async (queue) => ({
            ...{ queue, jobs: await backlog.counts(queue) },
            oldest_age_seconds: Math.round(await backlog.oldestAge(queue)),
          })),
        ),
      );
      const rows = found.map(({ queue, jobs, oldest_age_seconds }) => [
        ...[queue, ...jobStates.map((state) => String(jobs[state]))],
        `${oldest_age_seconds} s`,
      ]);
      const table = { columns: ['queue', ...jobStates, 'oldest'], rows };
      (options.format === 'json' ? jsonLines(found) : tableLines(table)).forEach(surroundings.out);
    });
}

/** What a job is about; one that cannot be read says so in its reason. */
function aboutText({ subject }: JobView): string {
  return subject === undefined ? '?' : readable(subject);
}

function jobJson(job: JobView): object {
  const { id, state, attempts, reason } = job;
  return { id, state, about: aboutText(job), attempts, since: new Date(job.since).toISOString(), reason };
}

function show(surroundings: Surroundings): Command {
  return new Command('show')
    .description('show the jobs of a queue, newest first, with what was found or went wrong')
    .addArgument(queueArgument())
    .addOption(new Option('-s, --state <state>', 'only those in this state').choices(jobStates))
    .addOption(new Option('-n, --limit <number>', 'at most so many').argParser(wholeNumber).default(50))
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExamples:\n  rookery queue show reconcile\n  rookery queue show reconcile --state failed -f json',
    )
    .action(async (queue: QueueName, options: Options & { state?: JobState; limit: number }) => {
      const states = options.state === undefined ? jobStates : [options.state];
      const jobs = await withBacklog(options, surroundings, (backlog) => backlog.jobs(queue, states, options.limit));
      const rows = jobs.map((job) => [
        ...[job.id, job.state, aboutText(job), String(job.attempts), new Date(job.since).toISOString()],
        // A backend's words may be several lines.
        readable(Buffer.from(job.reason ?? '', 'utf8').toString('latin1')),
      ]);
      const table = { columns: ['id', 'state', 'about', 'attempts', 'since', 'reason'], rows };
      const lines = () => (rows.length === 0 ? ['no job is there'] : tableLines(table));
      (options.format === 'json' ? jsonLines(jobs.map(jobJson)) : lines()).forEach(surroundings.out);
    });
}

function retry(surroundings: Surroundings): Command {
  return new Command('retry')
    .description('try failed jobs of a queue again, with all their attempts')
    .addArgument(queueArgument())
    .option('-i, --id <id>', 'only the one with this id')
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 65 no failed job has this id.\n\nExamples:\n  rookery queue retry reconcile\n  rookery queue retry reconcile --id 17',
    )
    .action(async (queue: QueueName, options: ConfigOption & { id?: string }) => {
      const retried = await withBacklog(options, surroundings, (backlog) => backlog.retry(queue, options.id));
      if (options.id !== undefined && retried === 0) {
        throw new CommandError(exit.data, `${queue} has no failed job ${options.id}`);
      }
      surroundings.out(`${retried} ${retried === 1 ? 'job is' : 'jobs are'} tried again`);
    });
}

export function queueCommand(surroundings: Surroundings): Command {
  const command = new Command('queue').description('what waits in the queues of events');
  for (const child of [list(surroundings), show(surroundings), retry(surroundings)]) command.addCommand(child);
  return command;
}
