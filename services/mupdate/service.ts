// What every connection of a MUPDATE server works with.
import type { Directory } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Witnesses } from '../directory/freshness.ts';
import type { HostTable, User } from './binding.ts';
import type { Listings } from './listings.ts';
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

/** How a session is called, who is there, and his address without port, as `hostAddress` spells it. */
export interface Caller {
  id: string;
  peer: string;
  address: string | undefined;
}

export interface Service {
  servername: string;
  directory: Directory;
  listings: Listings;
  users: ReadonlyMap<string, User>;
  hosts: HostTable;
  /** Who could tell of a mailbox that the directory does not have. */
  witnesses: Witnesses;
  /** Whether every backend's list has been heard: a frontend takes what UPDATE tells it for the whole truth. */
  trusted: () => Promise<boolean>;
  settings: MupdateSettings;
  log: Log;
  onRing?: (ring: Ring) => void;
}
