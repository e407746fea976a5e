// A command's way to the directory: opened, asked, closed; and what it means when that fails.
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { CommandError, exit } from './exit-codes.ts';
import type { Surroundings } from './surroundings.ts';

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function opened(config: Config, surroundings: Surroundings): Promise<Directory> {
  try {
    return await surroundings.openDirectory(config);
  } catch (error) {
    throw new CommandError(exit.unavailable, `the directory cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

/** Lets `ask` have the directory. A directory that cannot be opened ends the command with 69, one that fails with 75. */
export async function withDirectory<T>(
  config: Config,
  surroundings: Surroundings,
  ask: (directory: Directory) => Promise<T>,
): Promise<T> {
  const directory = await opened(config, surroundings);
  try {
    return await ask(directory);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(exit.temporary, `the directory could not be asked: ${messageOf(error)}`, { cause: error });
  } finally {
    await directory.close();
  }
}
