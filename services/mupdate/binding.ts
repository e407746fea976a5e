// For which server a session speaks, and whether its host may: of two hosts of one servername only the active one.
import type { Bytes } from '../directory/entry.ts';

export interface User {
  password: string;
  /** The backend whose mailboxes the user may write; left out: the one of his address, or the first his session names. */
  server?: Bytes;
  /** From which of the server's hosts the user speaks, whatever his address: for hosts that have users of their own. */
  host?: string;
  /** `read`: FIND, LIST and UPDATE only, as a frontend needs. */
  access: 'write' | 'read';
  /** May write rows of every server. */
  admin?: boolean;
}

/** The hosts that bear one servername: their addresses as `hostAddress` spells them, and the one that is in charge. */
export interface Hosts {
  all: readonly string[];
  active: string;
}

/** By servername; no server without hosts is in it, and no address is in it twice. */
export type HostTable = ReadonlyMap<Bytes, Hosts>;

export interface Speaker {
  user: User;
  /** Where he calls from; undefined at a Unix socket. */
  address: string | undefined;
}

/** The server that a user speaks for from login on; undefined for one who has yet to name it. */
export function serverAtLogin({ user, address }: Speaker, table: HostTable): Bytes | undefined {
  if (user.server !== undefined || isFree(user) || address === undefined) return user.server;
  for (const [server, { all }] of table) if (all.includes(address)) return server;
  return undefined;
}

/**
 * The host in charge of a server where the speaker's is another; undefined where he may speak for it. A twin that lags
 * behind would, when it starts, delete every name that it lacks.
 */
export function activeInstead({ user, address }: Speaker, server: Bytes, table: HostTable): string | undefined {
  const hosts = table.get(server);
  if (!hosts || isFree(user)) return undefined;
  return (user.host ?? address) === hosts.active ? undefined : hosts.active;
}

/** Admins speak for all servers, readers for none. */
function isFree({ access, admin }: User): boolean {
  return admin === true || access === 'read';
}
