// rookery replicate: has replicas brought up to their backends now, whatever was heard of changes.
import { Command } from 'commander';
import { readable } from '../address/bytes.ts';
import type { Config } from '../config/schema.ts';
import { bytesFromText, isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { JobView } from '../events/backlog.ts';
import { inboxOf } from '../operations/user-name.ts';
import { configOf, configOption, wholeSeconds } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { OpenReplicas, Surroundings } from './surroundings.ts';

/** The backends that have a replica. Throws 65 where there are none, or the one that was named has none. */
function replicated({ backends }: Config, named: string | undefined): string[] {
  const there = Object.keys(backends).filter((name) => backends[name]?.replica);
  if (there.length === 0) throw new CommandError(exit.data, 'no backend has a replica: backends.NAME.replica says so');
  if (named === undefined) return there;
  if (there.includes(named)) return [named];
  throw new CommandError(exit.data, `${named} has no replica: those that have are ${there.join(', ')}`);
}

/** Lets `ask` see rows of the directory. Ends the command with 69 and 75 where it can't be asked. */
async function rowsOf(
  config: Config,
  surroundings: Surroundings,
  ask: (directory: Awaited<ReturnType<Surroundings['openDirectory']>>) => Promise<Entry[]>,
): Promise<Entry[]> {
  const directory = await surroundings.openDirectory(config).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `the directory cannot be opened: ${String(error)}`, { cause: error });
  });
  try {
    return (await ask(directory)).filter((row) => !isGrave(row));
  } catch (error) {
    throw new CommandError(exit.temporary, `the directory could not be asked: ${String(error)}`, { cause: error });
  } finally {
    await directory.close();
  }
}

async function withReplicas<T>(
  config: Config,
  surroundings: Surroundings,
  work: (replicas: OpenReplicas) => Promise<T>,
): Promise<T> {
  const replicas = await surroundings.openReplicas(config).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `the queues cannot be opened: ${String(error)}`, { cause: error });
  });
  try {
    return await work(replicas);
  } catch (error) {
    throw new CommandError(exit.temporary, `the queues could not be asked: ${String(error)}`, { cause: error });
  } finally {
    await replicas.close();
  }
}

interface UserOptions extends ConfigOption {
  server?: string;
  wait: number;
}

/** Where the user is; where the directory does not have him, every replica may have something left of him. */
async function backendsOf(
  tree: Bytes,
  options: UserOptions,
  config: Config,
  surroundings: Surroundings,
): Promise<string[]> {
  const there = replicated(config, options.server);
  if (options.server !== undefined) return there;
  const rows = await rowsOf(config, surroundings, (directory) => directory.tree(tree));
  const servers = [...new Set(rows.map(({ location }) => serverOf(location)))];
  const found = there.filter((name) => servers.includes(name));
  if (found.length > 0 || servers.length === 0) return found.length > 0 ? found : there;
  throw new CommandError(
    exit.data,
    `${readable(tree)} is at ${servers.map(readable).join(', ')}: no replica there; those that have one are ${there.join(', ')}`,
  );
}

/** What became of one of them, in a line, and the exit code. */
function told(backend: string, job: JobView | undefined): [string, number] {
  if (job?.state === 'completed') return [`${backend}: ${job.reason ?? 'done'}`, exit.ok];
  if (job?.state === 'failed') return [`${backend}: ${job.kind}: ${job.reason}`, exit.data];
  if (job?.state === 'waiting' && job.reason === undefined) {
    const queue = `rookery queue show replication@${backend}`;
    return [
      `${backend}: not done yet: no worker has taken it; is one running on its host? See ${queue}`,
      exit.temporary,
    ];
  }
  return [`${backend}: not done yet${job?.reason === undefined ? '' : `: ${job.reason}`}`, exit.temporary];
}

function user(surroundings: Surroundings, end: (code: number) => void): Command {
  return new Command('user')
    .description("bring the replica of a user's backend up to it, for him alone")
    .argument('<name>', 'the user: jdoe, jdoe@example.org or user.jdoe')
    .option('-s, --server <server>', 'the replica of this backend, wherever the directory has the user')
    .option('-w, --wait <seconds>', 'how long to wait for the end; 0 only rings', wholeSeconds, 0)
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit codes: 65 he cannot be replicated, 75 not done yet.\n\nExamples:\n  rookery replicate user jdoe@example.org --wait 60\n  rookery replicate user jdoe --server mail1.example.org',
    )
    .action(async (text: string, options: UserOptions) => {
      const config = configOf(options, surroundings);
      const { tree } = placeOf(inboxOf(bytesFromText(text), config.lmtp));
      const backends = await backendsOf(tree, options, config, surroundings);
      await withReplicas(config, surroundings, async (replicas) => {
        for (const backend of backends) await replicas.ring(backend, [tree]);
        if (options.wait === 0) {
          surroundings.out(`${readable(tree)}: rung for at ${backends.join(', ')}`);
          return;
        }
        const within = options.wait * 1000;
        const jobs = await Promise.all(backends.map((backend) => replicas.followed(backend, tree, within)));
        for (const [at, job] of jobs.entries()) {
          const [line, code] = told(backends[at] ?? '', job);
          (code === exit.ok ? surroundings.out : surroundings.err)(`${readable(tree)}: ${line}`);
          if (code !== exit.ok) end(code);
        }
      });
    });
}

function server(surroundings: Surroundings): Command {
  return new Command('server')
    .description('bring the replica of a backend up to it, for all of its users: for what Rookery does not hear of')
    .argument('<server>', 'the backend')
    .addOption(configOption())
    .addHelpText('after', '\nExamples:\n  rookery replicate server mail1.example.org')
    .action(async (name: string, options: ConfigOption) => {
      const config = configOf(options, surroundings);
      replicated(config, name);
      const rows = await rowsOf(config, surroundings, (directory) => directory.list(`${name}!`));
      const places = rows.map((row) => placeOf(row.name)).filter(({ shared }) => !shared);
      const trees = [...new Set(places.map(({ tree }) => tree))];
      await withReplicas(config, surroundings, (replicas) => replicas.ring(name, trees));
      surroundings.out(`${trees.length} users are rung for: rookery queue show replication@${name}`);
    });
}

export function replicateCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('replicate').description('bring replicas up to their backends; their hosts carry it out');
  for (const child of [user, server]) command.addCommand(child(surroundings, end));
  return command;
}
