// What a task of the simulated world asks for, one thing at a time: between any two, others go on, and it may be cut.
import type { Case } from '../../../services/directory/case.ts';
import type { Resolution, Verb } from '../../../services/directory/directory.ts';
import type { Entry } from '../../../services/directory/entry.ts';
import type { Backend } from './backend.ts';

export interface Command {
  verb: Verb;
  name: string;
  location?: string;
  acl?: string;
}

export type Ask =
  /** Nothing of the directory: a place between two local steps. */
  | { do: 'pause' }
  /** In the task's own session. */
  | ({ do: 'write' } & Command)
  /** MUPDATEPUSH: another backend sends a command, in a session that it opens and ends for it. */
  | ({ do: 'elsewhere'; backend: Backend } & Command)
  | { do: 'list' }
  | { do: 'find'; name: string }
  | { do: 'logout' }
  /** What reconciliation asks. */
  | { do: 'look'; name: string }
  | { do: 'resolve'; resolution: Omit<Resolution, 'session' | 'by'> }
  | { do: 'note'; name: string; waiting: string };

export interface Reply {
  ok: boolean;
  /** The connection is gone: nobody knows whether the command was carried out. */
  lost?: boolean;
  rows?: Entry[];
  row?: Entry | undefined;
  open?: Case | undefined;
}

export type Task = Generator<Ask, void, Reply>;

export const pause: Ask = { do: 'pause' };
export const logout: Ask = { do: 'logout' };

export function write(verb: Verb, name: string, location = '', acl = ''): Ask {
  return { do: 'write', verb, name, location, acl };
}
