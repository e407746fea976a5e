// rookery up and rookery run: start, say so, and stay until asked to stop.
import { Command, Option } from 'commander';
import type { Config } from '../config/schema.ts';
import { isQueueName, queueNames } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import { configFile, configOf, configOption, wholeNumber } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { poolsOf, unpooled } from '../process/scaling-pools.ts';
import { CommandError, exit } from './exit-codes.ts';
import { roles, rolesOf } from './roles.ts';
import type { Role } from './roles.ts';
import type { Running, StartOptions, Surroundings } from './surroundings.ts';

async function started(options: StartOptions, surroundings: Surroundings): Promise<Running> {
  try {
    return await surroundings.startRoles(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exit.unavailable, `could not start: ${reason}`, { cause: error });
  }
}

/** Runs until asked to stop; asked while still starting, it stops as soon as it has started. */
async function stayUp(options: StartOptions, surroundings: Surroundings): Promise<void> {
  const asked = surroundings.stopAsked();
  const running = await started(options, surroundings);
  surroundings.out('ready');
  await asked;
  await running.stop();
}

/**
 * Everything that has something to do. With `scaling.local` the queues of pools are left to worker processes, and this
 * process works off only those that no pool has.
 */
function everything(config: Config): Pick<StartOptions, 'roles' | 'worker'> {
  const { local, keda } = config.scaling;
  const queues = local ? unpooled(poolsOf(config)) : queueNames;
  const idle: Role[] = [
    ...(queues.length === 0 ? ['worker' as const] : []),
    ...(local || keda ? [] : ['autoscaler' as const]),
  ];
  const wanted = roles.filter((role) => !idle.includes(role));
  return { roles: wanted, ...(local && queues.length > 0 && { worker: { queues } }) };
}

function up(surroundings: Surroundings): Command {
  return new Command('up')
    .description(
      'start everything in one process (and in worker processes, with scaling.local), with a Redis of its own unless the configuration names one',
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nSays `ready` when it is. Ends on SIGINT or SIGTERM.\n\nExamples:\n  rookery up\n  rookery up --config /etc/rookery/rookery.yaml',
    )
    .action(async (options: ConfigOption) => {
      const config = configOf(options, surroundings);
      const file = configFile(options, surroundings);
      await stayUp({ config, configFile: file, out: surroundings.out, ...everything(config) }, surroundings);
    });
}

interface WorkerOptions {
  queues?: QueueName[];
  concurrency?: number;
}

/** The queues named in a list with commas, each once. */
function queuesOf(text: string): QueueName[] {
  return [...new Set(text.split(','))].map((name) => {
    if (isQueueName(name)) return name;
    throw new CommandError(exit.usage, `'${name}' is no queue: there are ${queueNames.join(', ')}`);
  });
}

function workerOf({ queues, concurrency }: WorkerOptions, wanted: readonly Role[]): Pick<StartOptions, 'worker'> {
  if (queues === undefined && concurrency === undefined) return {};
  if (wanted.includes('worker')) return { worker: { queues, concurrency } };
  throw new CommandError(exit.usage, '--queues and --concurrency are for the role worker');
}

function run(surroundings: Surroundings): Command {
  return new Command('run')
    .description(`start one or more roles: ${roles.join(', ')}`)
    .argument('<role...>', `of ${roles.join(', ')}`)
    .addOption(new Option('--queues <list>', `for worker: only these, of ${queueNames.join(', ')}`).argParser(queuesOf))
    .addOption(new Option('--concurrency <number>', 'for worker: jobs of a queue at a time').argParser(wholeNumber))
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nSays `ready` when it is. Ends on SIGINT or SIGTERM.\n\nExamples:\n  rookery run directory api\n  rookery run lmtp --config /etc/rookery/frontend1.yaml\n  rookery run worker --queues reconcile --concurrency 20',
    )
    .action(async (names: string[], options: ConfigOption & WorkerOptions) => {
      const wanted = rolesOf(names);
      const worker = workerOf(options, wanted);
      const config = configOf(options, surroundings);
      const file = configFile(options, surroundings);
      await stayUp({ config, configFile: file, roles: wanted, out: surroundings.out, ...worker }, surroundings);
    });
}

export function runCommands(surroundings: Surroundings): Command[] {
  return [up(surroundings), run(surroundings)];
}
