// What the commands about queues share: the queue's name, and the way to the queues.
import { Argument } from 'commander';
import { queueNames } from '../events/queues.ts';
import { configOf } from './command-options.ts';
import type { ConfigOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { OpenBacklog, Surroundings } from './surroundings.ts';

export function queueArgument(): Argument {
  return new Argument('<queue>', 'the queue').choices(queueNames);
}

/** Lets `ask` have the queues. Queues that cannot be opened end the command with 69, ones that fail with 75. */
export async function withQueues<T>(
  options: ConfigOption,
  surroundings: Surroundings,
  ask: (queues: OpenBacklog) => Promise<T>,
): Promise<T> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  const opened = await surroundings.openBacklog(configOf(options, surroundings)).catch((error: unknown) => {
    throw new CommandError(exit.unavailable, `the queues cannot be opened: ${messageOf(error)}`, { cause: error });
  });
  try {
    return await ask(opened);
  } catch (error) {
    throw new CommandError(exit.temporary, `the queues could not be asked: ${messageOf(error)}`, { cause: error });
  } finally {
    await opened.close();
  }
}
