// Where a Redis or Valkey server program is found on this machine.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const PROGRAMS = ['redis-server', 'valkey-server'];

/** Where infra/local/redis-bring.sh puts a program that runs the server it unpacked, inside the data folder. */
export function unpackedRedis(dataFolder: string): string {
  return join(dataFolder, 'redis-package', 'redis-server');
}

/**
 * The absolute path of a server program: `ROOKERY_REDIS_BIN`, else `redis-server` or `valkey-server` on PATH, else the
 * copy unpacked in the data folder; undefined when there is none.
 * Throws when `ROOKERY_REDIS_BIN` names something that is no program: a wish that can't be met is not passed over.
 */
export function findRedisBinary(dataFolder: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const wished = env['ROOKERY_REDIS_BIN'];
  if (wished !== undefined && wished !== '') {
    if (isAbsolute(wished) && isProgram(wished)) return wished;
    throw new Error(
      `ROOKERY_REDIS_BIN is '${wished}': it must be the absolute path of a redis-server or valkey-server`,
    );
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  const onPath = PROGRAMS.flatMap((program) => folders.map((folder) => join(folder, program)));
  return [...onPath, unpackedRedis(dataFolder)].find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
