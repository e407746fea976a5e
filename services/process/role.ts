// What a role is given to start with, and what it gives back.
import type { Address, Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import type { Check } from '../api/health.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { GaugeName, Sample } from '../metrics/gauges.ts';
import type { MailLog } from '../logging/mail-log.ts';
import type { Log } from './log.ts';

export interface RoleStart {
  config: Config;
  directory: Directory;
  registry: Registry;
  log: Log;
  mailLog: MailLog;
  metrics: Metrics;
  watch: (name: GaugeName, source: () => Iterable<Sample> | Promise<Iterable<Sample>>) => void;
  /** Whether every backend that must has been heard in this epoch. Rejects when the directory can't be asked. */
  trusted: () => Promise<boolean>;
  /** The name of this process as a directory node. */
  node: string;
  /** What /readyz looks at. */
  checks: Readonly<Record<string, Check>>;
  /** What it tells besides. */
  notes: Readonly<Record<string, Check>>;
  /** How long work under way may take to end when the role is stopped, in milliseconds. */
  grace: number;
}

export interface StartedRole {
  /** What it speaks, for people. */
  name: string;
  /** Where it listens, with the ports that were chosen for 0. */
  addresses: Address[];
  /** Accepts no more, ends what is under way within the grace, and closes. */
  stop(): Promise<void>;
}
