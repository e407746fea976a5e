// What every connection of a MUPDATE server works with.
import type { Directory } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { User } from './session.ts';
import type { MupdateSettings } from './settings.ts';

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A name that reconciliation is to look at. */
export interface Ring {
  reason: string;
  name: Bytes;
}

export interface Service {
  servername: string;
  directory: Directory;
  users: ReadonlyMap<string, User>;
  /** The servers that must be heard before the first population of the directory is over. */
  required: readonly Bytes[];
  /** Whether every backend's list has been heard: a frontend takes what UPDATE tells it for the whole truth. */
  trusted: () => Promise<boolean>;
  settings: MupdateSettings;
  log: Log;
  onRing?: (ring: Ring) => void;
}
