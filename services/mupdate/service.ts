// What every connection of a MUPDATE server works with.
import type { Directory, Write, Writer } from '../directory/directory.ts';
import type { HostTable, User } from './binding.ts';
import type { MupdateSettings } from './settings.ts';

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A write that left something for reconciliation to look at. */
export interface Ring {
  reason: string;
  write: Write;
  writer: Writer;
}

export interface Service {
  servername: string;
  directory: Directory;
  users: ReadonlyMap<string, User>;
  hosts: HostTable;
  /** Whether every backend's list has been heard: a frontend takes what UPDATE tells it for the whole truth. */
  trusted: () => Promise<boolean>;
  settings: MupdateSettings;
  log: Log;
  onRing?: (ring: Ring) => void;
}
