// rookery up and rookery run: start, say so, and stay until asked to stop.
import { Command, Option } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/schema.ts';
import { isQueueName, queueWords } from '../events/queues.ts';
import type { QueueName } from '../events/queues.ts';
import { configFile, configOf, configOption, wholeNumber } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { needBackends } from '../process/needed-backends.ts';
import { workedHere } from '../process/replicas.ts';
import { poolsOf, unpooled } from '../process/scaling-pools.ts';
import { CommandError, exit } from './exit-codes.ts';
import { roles, rolesOf } from './roles.ts';
import type { Role } from './roles.ts';
import type { Running, StartOptions, Surroundings } from './surroundings.ts';

async function started(options: StartOptions, surroundings: Surroundings): Promise<Running> {
  try {
    return await surroundings.startRoles(options);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exit.unavailable, `could not start: ${reason}`, { cause: error });
  }
}

/**
 * Runs until asked to stop, or done; asked while still starting, it stops as soon as it has started. The configuration is
 * read again (`read`) when that is asked for.
 */
async function stayUp(options: StartOptions, read: () => Config, surroundings: Surroundings): Promise<void> {
  const asked = surroundings.stopAsked();
  const starting = started(options, surroundings);
  surroundings.onReload(() => {
    starting.then((running) => running.reload(read)).catch(() => undefined);
  });
  const running = await starting;
  surroundings.out('ready');
  const end = await Promise.race([asked.then(() => undefined), running.done]);
  if (end !== undefined) surroundings.out(`ends: ${end}`);
  await running.stop();
}

/**
 * Everything that has something to do. With `scaling.local` the queues of pools are left to worker processes, and this
 * process works off only those that no pool has.
 */
function everything(config: Config): Pick<StartOptions, 'roles' | 'worker'> {
  const { local, keda } = config.scaling;
  // Its worker processes would refuse to start, each anew.
  if (local) needBackends(config);
  const queues = local ? unpooled(config, poolsOf(config)) : workedHere(config);
  const idle: Role[] = [
    ...(queues.length === 0 ? ['worker' as const] : []),
    ...(local || keda ? [] : ['autoscaler' as const]),
    ...(config.lookup.listen ? [] : ['lookup' as const]),
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
      '\nSays `ready` when it is. Ends on SIGINT or SIGTERM; reads its configuration again on SIGHUP.\n\nExamples:\n  rookery up\n  rookery up --config /etc/rookery/rookery.yaml',
    )
    .action(async (options: ConfigOption) => {
      const read = () => configOf(options, surroundings);
      const config = read();
      const file = configFile(options, surroundings);
      await stayUp({ config, configFile: file, out: surroundings.out, ...everything(config) }, read, surroundings);
    });
}

interface WorkerOptions {
  queues?: QueueName[];
  concurrency?: number;
  drainOnce?: boolean;
  idle?: number;
  deadline?: number;
}

/** How long the queues must have been empty, and how long a worker that is to end with them may take, in seconds. */
const drainDefaults = { idle: 2, deadline: 300 };

/** The queues named in a list with commas, each once. */
function queuesOf(text: string): QueueName[] {
  return [...new Set(text.split(','))].map((name) => {
    if (isQueueName(name)) return name;
    throw new CommandError(exit.usage, `'${name}' is no queue: there are ${queueWords}`);
  });
}

function workerOf(options: WorkerOptions, wanted: readonly Role[]): Pick<StartOptions, 'worker'> {
  const { queues, concurrency, drainOnce, idle, deadline } = options;
  const given = [queues, concurrency, drainOnce, idle, deadline].some((one) => one !== undefined);
  if (!given) return {};
  if (!wanted.includes('worker')) {
    const names = '--queues, --concurrency, --drain-once, --idle and --deadline';
    throw new CommandError(exit.usage, `${names} are for the role worker`);
  }
  if (drainOnce !== true) {
    if (idle === undefined && deadline === undefined) return { worker: { queues, concurrency } };
    throw new CommandError(exit.usage, '--idle and --deadline are for --drain-once');
  }
  const drain = {
    idle: (idle ?? drainDefaults.idle) * 1000,
    deadline: (deadline ?? drainDefaults.deadline) * 1000,
  };
  return { worker: { queues, concurrency, drain } };
}

function run(surroundings: Surroundings): Command {
  return new Command('run')
    .description(`start one or more roles: ${roles.join(', ')}`)
    .argument('<role...>', `of ${roles.join(', ')}`)
    .addOption(new Option('--queues <list>', `for worker: only these, of ${queueWords}`).argParser(queuesOf))
    .addOption(new Option('--concurrency <number>', 'for worker: jobs of a queue at a time').argParser(wholeNumber))
    .option('--drain-once', 'for worker: end when the queues are empty, or the deadline is near')
    .addOption(
      new Option(
        '--idle <seconds>',
        `with --drain-once: how long they must have been empty (default: ${drainDefaults.idle})`,
      ).argParser(wholeNumber),
    )
    .addOption(
      new Option(
        '--deadline <seconds>',
        `with --drain-once: be gone by then, running jobs given back (default: ${drainDefaults.deadline})`,
      ).argParser(wholeNumber),
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nSays `ready` when it is. Ends on SIGINT or SIGTERM; reads its configuration again on SIGHUP.\n\nExamples:\n  rookery run directory api\n  rookery run lmtp --config /etc/rookery/frontend1.yaml\n  rookery run worker --queues reconcile --concurrency 20\n  rookery run worker --drain-once --deadline 600',
    )
    .action(async (names: string[], options: ConfigOption & WorkerOptions) => {
      const wanted = rolesOf(names);
      const worker = workerOf(options, wanted);
      const read = () => configOf(options, surroundings);
      const file = configFile(options, surroundings);
      const config = read();
      if (wanted.includes('worker')) needBackends(config, options.queues);
      const start = { config, configFile: file, roles: wanted, out: surroundings.out, spread: true };
      await stayUp({ ...start, ...worker }, read, surroundings);
    });
}

export function runCommands(surroundings: Surroundings): Command[] {
  return [up(surroundings), run(surroundings)];
}
