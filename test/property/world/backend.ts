// A Cyrus backend as far as the directory can tell: which mailboxes it has, and whether it runs.
import { isDeletedName } from '../../../services/directory/settling.ts';
import { placeOf } from '../../../services/directory/tree.ts';

export interface Mailbox {
  acl: string;
  partition: string;
  /** The server that an XFER moves it to: Cyrus' MOVING flag, which only the next `ctl_mboxlist -m` takes away. */
  moving?: string;
  /**
   * Whether the directory has ever been told of this copy. Of a mailbox that was just made, or restored from somewhere,
   * it can't know; nor whether a copy made by an XFER that broke off is there.
   */
  told: boolean;
}

/** `starting`: `ctl_mboxlist -m` runs, and nothing else does yet. */
export type Running = 'down' | 'starting' | 'up';

/** Where names come from: folders, a domain, a shared mailbox. */
export const livingNames = ['user.a', 'user.a.Sent', 'user.b', 'user.b.Sent', 'example.org!user.c', 'news'];

export class Backend {
  readonly name: string;
  readonly mailboxes = new Map<string, Mailbox>();
  /** Trees that a command works on: Cyrus locks a user's namespace for it. */
  readonly locked = new Set<string>();
  /**
   * Names that a command has taken away and may yet put back, or made and may yet take away. Whoever asks meanwhile gets no answer: an administrator's
   * LIST would say that the mailbox is not there, so that reconciliation must not believe a single one.
   */
  readonly inFlight = new Set<string>();
  /** What was deleted here before the directory was told, or without a word (`delete_mode: immediate`): until a push it can't know. */
  readonly untold = new Set<string>();
  running: Running = 'down';
  /** Counts its crashes: who talked with it before one doesn't any more. */
  lives = 0;

  #deletions = 0;

  constructor(name: string) {
    this.name = name;
  }

  crash(): void {
    this.running = 'down';
    this.lives++;
    this.locked.clear();
    this.inFlight.clear();
  }

  names(): string[] {
    return [...this.mailboxes.keys()].sort();
  }

  /** Those of one tree, the deleted ones among them: what an XFER moves. */
  namesIn(tree: string): string[] {
    return this.names().filter((name) => placeOf(name).tree === tree);
  }

  living(): string[] {
    return this.names().filter((name) => !isDeletedName(name));
  }

  deleted(): string[] {
    return this.names().filter((name) => isDeletedName(name));
  }

  /** A fresh name for a mailbox that is deleted: in Cyrus the time stands in it, here the server and a number. */
  deletedNameFor(name: string): string {
    const [local = '', domain] = name.split('!').reverse();
    const stem = `${domain === undefined ? '' : `${domain}!`}DELETED.${local}.5F${this.name.slice(4)}`;
    // Never twice, as no time is.
    this.#deletions += 1;
    return `${stem}${this.#deletions}`;
  }

  locationOf(name: string): string {
    return `${this.name}!${this.mailboxes.get(name)?.partition ?? 'default'}`;
  }
}
