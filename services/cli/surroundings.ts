// What the commands need of the world; main.ts has the real one.
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { QueueName } from '../events/queues.ts';
import type { OperatorsBacklog } from '../operations/queue-operations.ts';
import type { Role } from './roles.ts';

export interface StartOptions {
  config: Config;
  roles: Role[];
  /** Takes lines for people, before `ready`. */
  out: (line: string) => void;
  /** For the role worker: which queues, and how many jobs of each at a time, where the command line says so. */
  worker?: { queues?: readonly QueueName[] | undefined; concurrency?: number | undefined };
}

/** The queues, as a command looks at them. */
export interface OpenBacklog {
  backlog: OperatorsBacklog;
  close(): Promise<void>;
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
  /** Rejects when the events' Redis does not answer. */
  openBacklog: (config: Config) => Promise<OpenBacklog>;
  startRoles: (options: StartOptions) => Promise<Running>;
  /** Resolves when the process is asked to stop (SIGINT or SIGTERM). */
  stopAsked: () => Promise<unknown>;
}

/** Who gives the command, for records of it. */
export function operatorOf({ env }: Surroundings): string {
  return env['SUDO_USER'] ?? env['USER'] ?? 'operator';
}
