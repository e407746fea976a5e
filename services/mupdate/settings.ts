// The settings of the MUPDATE server, and what each is by default.
import type { Limits } from './grammar.ts';

/** What a client may do. Times are in milliseconds, sizes in octets. */
export interface MupdateSettings {
  /** Rookery's version, as the greeting shows it. */
  version: string;
  /** The most sessions at a time; a further one is told BYE. Default 1024: a Cyrus backend opens one for each operation. */
  sessions_limit: number;
  /** Of these, those that have not authenticated; for a further one the oldest of them goes. Default 128. */
  unauthenticated_limit: number;
  /** From the connection to the success of AUTHENTICATE. Default 30000: Cyrus' clients give up after 10 s. */
  login_timeout: number;
  /** Before a failed AUTHENTICATE is answered. Default 3000, as Cyrus. */
  failedloginpause: number;
  /** Without a whole command. Default 1800000; RFC 3656 section 2 asks for 15 minutes at least. */
  idle_timeout: number;
  /** How much may wait for a client that reads slowly; above, no more is made for it. Default 1048576. */
  output_limit: number;
  /** How long a client above the output limit may take to read what waits for it. Default 60000. */
  stall_timeout: number;
  /** How many rows a second a client of UPDATE is sent once more, behind those that it may have lost. Default 200. */
  resend_rate: number;
  /** How many clients of UPDATE are sent their list at a time; further ones wait. Default 8. */
  updates_at_once: number;
  /** A command without its literals. Default 16384; RFC 3656 section 2 asks for 1,024 at least. */
  line_limit: number;
  /** One literal. Default 131072, as Cyrus; RFC 3656 section 2 asks for 4,096 at least. */
  literal_limit: number;
  /** All literals of a command together. Default 262144. */
  command_limit: number;
}

export const mupdateDefaults: Omit<MupdateSettings, 'version'> = {
  sessions_limit: 1024,
  unauthenticated_limit: 128,
  login_timeout: 30_000,
  failedloginpause: 3000,
  idle_timeout: 1_800_000,
  output_limit: 1_048_576,
  stall_timeout: 60_000,
  resend_rate: 200,
  updates_at_once: 8,
  line_limit: 16_384,
  literal_limit: 131_072,
  command_limit: 262_144,
};

/** Before AUTHENTICATE: a line and a literal as RFC 3656 section 2 asks for, and no more. */
export const limitsBeforeLogin: Limits = { line: 4096, literal: 4096, command: 8192 };

export function limitsOf({ line_limit, literal_limit, command_limit }: MupdateSettings): Limits {
  return { line: line_limit, literal: literal_limit, command: command_limit };
}
