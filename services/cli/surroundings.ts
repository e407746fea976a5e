// What the commands need of the world; main.ts has the real one.
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { Role } from './roles.ts';

export interface StartOptions {
  config: Config;
  roles: Role[];
  /** Takes lines for people, before `ready`. */
  out: (line: string) => void;
}

export interface Running {
  stop(): Promise<void>;
}

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** One line each, to standard output and to standard error. */
  out: (line: string) => void;
  err: (line: string) => void;
  /** Rejects when the directory's Redis does not answer. */
  openDirectory: (config: Config) => Promise<Directory>;
  startRoles: (options: StartOptions) => Promise<Running>;
  /** Resolves when the process is asked to stop (SIGINT or SIGTERM). */
  stopAsked: () => Promise<unknown>;
}
