// How a command ends: the codes of sysexits.h, which mail systems know.

export const exit = {
  ok: 0,
  /** The command line is wrong. */
  usage: 64,
  /** What was given to work on is wrong. */
  data: 65,
  /** There is no such mailbox. */
  noUser: 67,
  /** Something that is needed is not there: Redis, an address to listen at. */
  unavailable: 69,
  /** A fault of this program. */
  software: 70,
  /** Not now: try again. */
  temporary: 75,
  /** The API does not let this token do so. */
  noPermission: 77,
  /** The configuration is wrong. */
  config: 78,
} as const;

/** Ends a command with a code, and a line on standard error. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
