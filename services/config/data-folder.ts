// The folder that the key `data` names, and those below it: made where they are missing, or refused by that name.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from './config-error.ts';

/**
 * Makes a folder in the data folder with all that is missing above it, readable by this user alone. Throws ConfigError,
 * with the system's reason, where it can't be made.
 */
export function makeDataFolder(data: string, path = data): void {
  try {
    makeFolder(path);
  } catch (error) {
    const expected = `a folder that this user can make and write in (${(error as Error).message})`;
    throw new ConfigError('The configuration', [{ key: 'data', value: data, expected }]);
  }
}

/**
 * Makes a folder and those above it, readable by this user alone. Node's own `recursive` never comes back from below a
 * folder in which nothing can be made, but which says ENOENT, as /proc does.
 */
export function makeFolder(path: string): void {
  const isThere = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isThere()) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been quicker.
    if (!isThere()) throw error;
  }
}
