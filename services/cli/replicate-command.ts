// rookery replicate: has replicas brought up to their backends now, whatever was heard of changes.
import { Command } from 'commander';
import { bytesFromText } from '../directory/entry.ts';
import type { JobValue } from '../operations/job-value.ts';
import type { ApiOptions } from './api-client.ts';
import { whereOptions, wholeSeconds, withOptions } from './command-options.ts';
import { exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';
import { withReplication } from './with-operations.ts';

interface UserOptions extends ApiOptions {
  server?: string;
  wait: number;
}

/** What became of one of them, in a line, and the exit code. */
function told(backend: string, job: JobValue | undefined): [string, number] {
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
  return withOptions(new Command('user'), whereOptions())
    .description("bring the replica of a user's backend up to it, for him alone")
    .argument('<name>', 'the user: jdoe, jdoe@example.org or user.jdoe')
    .option('-s, --server <server>', 'the replica of this backend, wherever the directory has the user')
    .option('-w, --wait <seconds>', 'how long to wait for the end; 0 only rings', wholeSeconds, 0)
    .addHelpText(
      'after',
      '\nExit codes: 65 he cannot be replicated, 75 not done yet.\n\nExamples:\n  rookery replicate user jdoe@example.org --wait 60\n  rookery replicate user jdoe --server mail1.example.org',
    )
    .action(async (text: string, options: UserOptions) => {
      const { server, wait } = options;
      const { user: name, replicas } = await withReplication(options, surroundings, (replication) =>
        replication.user(bytesFromText(text), { server, within: wait * 1000 }),
      );
      if (wait === 0) {
        surroundings.out(`${name}: rung for at ${replicas.map((replica) => replica.server).join(', ')}`);
        return;
      }
      for (const replica of replicas) {
        const [line, code] = told(replica.server, replica.job);
        (code === exit.ok ? surroundings.out : surroundings.err)(`${name}: ${line}`);
        if (code !== exit.ok) end(code);
      }
    });
}

function server(surroundings: Surroundings): Command {
  return withOptions(new Command('server'), whereOptions())
    .description('bring the replica of a backend up to it, for all of its users: for what Rookery does not hear of')
    .argument('<server>', 'the backend')
    .addHelpText('after', '\nExamples:\n  rookery replicate server mail1.example.org')
    .action(async (name: string, options: ApiOptions) => {
      const { users } = await withReplication(options, surroundings, (replication) => replication.server(name));
      surroundings.out(`${users} users are rung for: rookery queue show replication@${name}`);
    });
}

export function replicateCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('replicate').description('bring replicas up to their backends; their hosts carry it out');
  for (const child of [user, server]) command.addCommand(child(surroundings, end));
  return command;
}
