// A session as the MUPDATE server keeps it: whom it speaks for, and what it has to settle.
import type { Writer } from '../../../services/directory/directory.ts';
import type { Backend } from './backend.ts';

export class Session {
  readonly id: string;
  readonly backend: Backend;
  /** Whose rows it may write: the account's, or whom it has named. */
  server: string | undefined;
  /** A write of it waits for its end. */
  pending = false;
  /** Deleted something before it named a server. */
  deletedUnbound = false;
  push: { begun: number; absent: Set<string> } | undefined;

  constructor(id: string, backend: Backend, isBound: boolean) {
    this.id = id;
    this.backend = backend;
    this.server = isBound ? backend.name : undefined;
  }

  get writer(): Writer {
    const server = this.server === undefined ? {} : { server: this.server };
    return { session: this.id, admin: false, push: this.push !== undefined, ...server };
  }
}
