// The directory as all others see it: four writes, and reads that say how much they can prove.
import type { Bytes, Entry, State } from './entry.ts';

/** RFC 3656 sections 4.1, 4.3, 4.4 and 4.9. */
export type Verb = 'RESERVE' | 'ACTIVATE' | 'DEACTIVATE' | 'DELETE';

export interface Write {
  verb: Verb;
  name: Bytes;
  /** Of RESERVE, ACTIVATE and DEACTIVATE; empty for DELETE, which names none. */
  location: Bytes;
  /** Of ACTIVATE; else empty. */
  acl: Bytes;
}

/** On whose behalf a write comes. */
export interface Writer {
  /** Never used again for another session, also not after a restart. No space, comma or control character in it. */
  session: string;
  /** The backend that the session speaks for; undefined while an unbound session has named none. */
  server?: Bytes;
  /** An administrator may write rows of every server. */
  admin: boolean;
  /** Whether the session is a push: bound to a server S, it has sent `LIST "S!"` (Cyrus' `ctl_mboxlist -m`). */
  push: boolean;
}

export interface Answer {
  ok: boolean;
  /** The text of the OK or NO; where a holder stands in the way it is named. */
  text: string;
  /** Where the write can be seen from; unchanged if nothing changed. */
  at: Point;
  /** Why reconciliation is rung; undefined when all is well. */
  ring?: string;
  /** Whether the row waits for its session's end (a created row, a tombstone): `end` is due then. */
  pending: boolean;
}

/**
 * How a session ends: by LOGOUT, by a connection that broke (or a node that died), or not yet, but a write of it was
 * refused. Cyrus' RENAME sends DELETE, RESERVE, ACTIVATE; where it hears NO, or nothing, it rolls back at its own side
 * only, and the mailbox that it deleted here lives on.
 */
export type Ending = 'logout' | 'cut' | 'refused';

/** One change of one shard's log. */
export interface Point {
  shard: number;
  /** Dense: 1, 2, 3, ... 0 is before the first. */
  seq: number;
}

/** How far each shard's log has been seen: the last `seq`, by shard. */
export type Position = readonly number[];

/** One accepted write, as the change log keeps it: the row after it, and what it replaced. */
export interface Change extends Point {
  name: Bytes;
  /** `absent` when the row went. */
  state: State | 'absent';
  location: Bytes;
  acl: Bytes;
  /** The location before the change; empty when there was no row. A reader of some servers only needs it. */
  from: Bytes;
  session: string;
  /** Milliseconds since 1970. */
  time: number;
}

/** The facts about the directory's own state that a read of the primary brings along for names it does not find. */
export interface Standing {
  /** Raised whenever data were found to be lost. */
  epoch: number;
  /** Servers whose push or reconciliation was completed in this epoch. */
  heard: readonly Bytes[];
  /** An operator has said that this epoch is to be trusted. */
  vouched: boolean;
  /** Nothing was ever written: what nobody has filled proves nobody's absence. */
  blank: boolean;
}

export interface Lookup {
  /** In the order of the names asked; undefined where there is no row. */
  entries: readonly (Entry | undefined)[];
  /** Read in the same instant as the entries. */
  standing: Standing;
}

export interface Snapshot {
  /** All rows, in Cyrus' order of names (order.ts). */
  entries: Entry[];
  /** The rows are those after exactly these changes. */
  at: Position;
}

/** A listener to the change log. Each change comes once, in order within its shard. */
export interface Feed {
  /** Resolves once every change up to `position` has been given to the listener; rejects when the feed is lost. */
  reached(position: Position): Promise<void>;
  close(): void;
}

export interface FeedListener {
  change(change: Change): void;
  /** The log was trimmed past the reader, or its chain is broken: what was read before proves nothing any more. */
  lost(reason: string): void;
}

/** Everything a process asks of the directory. Rejections mean that the directory could not be asked: never absence. */
export interface Directory {
  /** Carries out one write by the table in rules.ts; resolved when the answer may be given. */
  write(write: Write, writer: Writer): Promise<Answer>;
  /**
   * What a session left pending is settled: after `logout` its tombstones become absence (once the grace is over); after
   * `cut` and `refused` they are put back. Resolves to the names that were put back. `write` sees to `refused` itself.
   */
  end(session: string, how: Ending): Promise<Bytes[]>;
  /**
   * Shows that a node is alive, and settles as `cut` what was left pending by sessions that nobody ends any more: this
   * node's own that `isLive` does not know, and those of nodes that have not shown themselves for a while. Resolves to
   * the names that were put back. To be called every few seconds.
   */
  sweep(node: string, isLive: (session: string) => boolean): Promise<Bytes[]>;
  /** Several names at once, from the primary, with the facts that absence is proven by. */
  lookup(names: readonly Bytes[]): Promise<Lookup>;
  /** Rows whose location starts with the prefix, in Cyrus' order (RFC 3656 section 4.6). */
  list(locationPrefix: Bytes): Promise<Entry[]>;
  /** All rows of the tree that a name belongs to, in Cyrus' order. */
  tree(name: Bytes): Promise<Entry[]>;
  snapshot(): Promise<Snapshot>;
  /** The end of the change log now. */
  head(): Promise<Position>;
  follow(from: Position, listener: FeedListener): Feed;
  standing(): Promise<Standing>;
  /** Notes that a server's list has been heard in full in this epoch. */
  heard(server: Bytes): Promise<void>;
  /** An operator vouches for this epoch (`rookery directory trust`). */
  vouch(): Promise<void>;
  close(): Promise<void>;
}
