// A command's way to what it asks: over the API of a running process, or by itself in Redis; opened, asked, closed.
import type { OnDirectory } from '../operations/operations.ts';
import type { QueueOperations } from '../operations/queue-operations.ts';
import { onDirectory, onQueues } from '../process/operations.ts';
import { apiOf } from './api-client.ts';
import type { ApiOptions } from './api-client.ts';
import { apiOnDirectory, apiOnQueues } from './api-operations.ts';
import { configOf } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';

/** Ends the command with 69 where what it needs cannot be opened. */
async function opened<T>(what: string, opening: Promise<T>): Promise<T> {
  return opening.catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exit.unavailable, `${what} cannot be opened: ${reason}`, { cause: error });
  });
}

/** Lets `ask` have the directory. */
export async function withDirectory<T>(
  options: ApiOptions,
  surroundings: Surroundings,
  ask: (operations: OnDirectory) => Promise<T>,
): Promise<T> {
  const api = apiOf(options, surroundings);
  if (api) return ask(apiOnDirectory(api));
  const config = configOf(options, surroundings);
  const directory = await opened('the directory', surroundings.openDirectory(config));
  try {
    return await ask(onDirectory(directory, config));
  } finally {
    await directory.close();
  }
}

/** Lets `ask` have the queues. */
export async function withQueues<T>(
  options: ApiOptions,
  surroundings: Surroundings,
  ask: (queues: QueueOperations) => Promise<T>,
): Promise<T> {
  const api = apiOf(options, surroundings);
  if (api) return ask(apiOnQueues(api));
  const open = await opened('the queues', surroundings.openBacklog(configOf(options, surroundings)));
  try {
    return await ask(onQueues(open));
  } finally {
    await open.close();
  }
}
