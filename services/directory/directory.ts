// The directory as all others see it: four writes, and reads that say how much they can prove.
import type { Case, Caseload } from './case.ts';
import type { Copies } from './copies.ts';
import type { Bytes, Entry, State } from './entry.ts';
import type { WalkedTree } from './tree.ts';

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
  /** Who it is, for the change log: a user of the MUPDATE server, an operator. */
  by?: string;
}

export interface Answer {
  ok: boolean;
  /** The text of the OK or NO; where a holder stands in the way it is named. */
  text: string;
  /** Where the write can be seen from; unchanged if nothing changed. */
  at: Point;
  /** Why reconciliation is rung; undefined when all is well. */
  ring?: string;
  /** Whether its session's end must be told: a row waits for it, or something was activated. `end` is due then. */
  pending: boolean;
  /** Whether it was carried out and taken back, for it could not be made durable; the table has not refused it. */
  undone?: true;
}

/** What became of what a session had left pending. */
export interface Settlement {
  /** Names whose deletion was undone. */
  restored: Bytes[];
  /** Names that reconciliation is to look at now, those restored among them. */
  rung: Bytes[];
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

/** The end of a shard's log: the last change and its nonce; 0 and empty before the first. */
export interface Head {
  seq: number;
  /** Chance, made anew for each change: tells two histories apart that have the same number of changes. */
  nonce: string;
}

/** How far each shard's log has been seen, by shard. */
export type Position = readonly Head[];

/**
 * What made a change: a command, the end of its session, or what is done about what was found out later. `lease`: somebody
 * took or gave back the lease on a tree; the row of its root, which the change names, is as it was.
 */
export type Cause = Verb | Ending | 'bind' | 'push' | 'reconcile' | 'claim' | 'undo' | 'lease';

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
  /** Whose session it is; empty where that is not known. */
  by: string;
  cause: Cause;
  /** Milliseconds since 1970. */
  time: number;
  /** See Head. */
  nonce: string;
}

/** The facts about the directory's own state that a read of the primary brings along for names it does not find. */
export interface Standing {
  /** Raised whenever data were found to be lost, to when that was in microseconds since 1970. 0: there is no directory. */
  epoch: number;
  /** How data were found to be lost when the epoch began; undefined when it began with the making. */
  lost: string | undefined;
  /** Why this very read proves nothing: Redis is a replica, or not known to be the one it was. */
  doubt: string | undefined;
  /** Servers whose push or reconciliation was completed in this epoch. */
  heard: readonly Bytes[];
  /** Which operator has said that this epoch is to be trusted, and when, in milliseconds since 1970; undefined: none has. */
  vouched: { by: Bytes; at: number } | undefined;
  /** In this epoch every server that must be heard was heard once: its first population is over. */
  settled: boolean;
  /** Nothing was ever written: what nobody has filled proves nobody's absence. */
  blank: boolean;
}

/** What stands beside the row of a name, or in its place, and makes its absence no proof. */
export interface Concern {
  kind: 'reconciliation' | 'lease';
  /** A phrase. */
  text: string;
}

export interface Lookup {
  /** In the order of the names asked; undefined where there is no row. */
  entries: readonly (Entry | undefined)[];
  /** In the same order. */
  concerns: readonly (Concern | undefined)[];
  /** When the read began, in milliseconds since 1970. */
  begun: number;
  /** Read in the same instant as the entries. */
  standing: Standing;
}

/** Names that may be meant by a name which is not there. */
export interface Nearby {
  /** Those of rows in any state, those with an open case, and those deleted a short while ago; in no order. */
  names: Bytes[];
  /** When the reading began, in milliseconds since 1970. */
  begun: number;
  /** Of all shards, read after the names. */
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

/** The exclusive right to move a tree, for a time. While it holds, nobody but its destination may activate a handed row. */
export interface Lease {
  /** A server. */
  destination: Bytes;
  /** Whoever holds it proves by this word that it is his. */
  token: string;
}

/**
 * What is to become of a name that was looked into. `restore`: a tombstone's row is active again. `remove`: nobody holds
 * the mailbox. `hand`: the row's server does not hold it, and whoever does may activate it. `claim`: it is active at
 * `at`, and the server it was at until now is a rival. `close`: the row is right as it is.
 */
export interface Resolution {
  name: Bytes;
  /** The row as it was when the world was asked: with another one nothing is done. */
  expected: Entry | undefined;
  /** When its case was rung last, as the world was asked; rung once more since, nothing is done. Undefined: it had none. */
  rung: number | undefined;
  action: 'close' | 'restore' | 'remove' | 'hand' | 'claim';
  /** Rivals that are found not to hold the mailbox. The case is closed when no others are left, but for `hand`. */
  forget: readonly Bytes[];
  /** Of `claim`. */
  at?: { location: Bytes; acl: Bytes };
  session: string;
  by: string;
}

/** Everything a process asks of the directory. Rejections mean that the directory could not be asked: never absence. */
export interface Directory {
  /** What is being copied ahead of a move. */
  readonly copies: Copies;
  /** Carries out one write by the table in rules.ts; resolved when the answer may be given. */
  write(write: Write, writer: Writer): Promise<Answer>;
  /**
   * What a session left pending is settled: after `logout` its tombstones become absence (once the grace is over); after
   * `cut` and `refused` they are put back. `write` sees to `refused` itself.
   */
  end(session: string, how: Ending, by?: Bytes): Promise<Settlement>;
  /**
   * A session that spoke for no server names one: what it deleted of other servers' is put back, and then the command
   * that names the server is to be refused (rules.md section 1).
   */
  bind(session: string, server: Bytes): Promise<Settlement>;
  /**
   * Shows that a node is alive, and settles as `cut` what was left pending by sessions that nobody ends any more: this
   * node's own that `isLive` does not know, and those of nodes that have not shown themselves for a while. To be called
   * every few seconds.
   */
  sweep(node: string, isLive: (session: string) => boolean): Promise<Settlement>;
  /** Several names at once, from the primary, with the facts that absence is proven by. */
  lookup(names: readonly Bytes[]): Promise<Lookup>;
  /**
   * Rows whose location starts with the prefix, in Cyrus' order (RFC 3656 section 4.6). Of a whole server (`S!`) also
   * what S is on record for as a rival, as reserved there: in its push it then says whether it still holds it.
   */
  list(locationPrefix: Bytes): Promise<Entry[]>;
  /** All rows of the tree that a name belongs to, in Cyrus' order. */
  tree(name: Bytes): Promise<Entry[]>;
  /**
   * The names in all trees of a domain (`example.org!`, or nothing) whose first component is near; no user's tree is looked
   * at, and none of what was deleted long ago. `isNear` is asked once for each tree that no user owns.
   */
  nearby(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby>;
  snapshot(): Promise<Snapshot>;
  /** See tree-walk.ts; left out where all rows are in memory anyway. */
  trees?(server: Bytes | undefined): AsyncIterable<WalkedTree>;
  /** The end of the change log now. */
  head(): Promise<Position>;
  /** The newest changes, the newest first; of one name, where it is given. */
  history(name: Bytes | undefined, most: number): Promise<Change[]>;
  follow(from: Position, listener: FeedListener): Feed;
  standing(): Promise<Standing>;
  /**
   * Notes that a server's list has been heard in full in this epoch, in a push that began at `begun`: cases that it has
   * answered are closed. `required` are the servers that must be heard for the epoch to be settled.
   */
  heard(server: Bytes, required: readonly Bytes[], begun: number): Promise<void>;
  /** How many rows each server has, whether or not it is a backend still. */
  servers(): Promise<Map<Bytes, number>>;
  /** Begins a new epoch as after a loss: for an operator who knows of one that could not be seen. */
  distrust(why: string): Promise<void>;
  /** An operator vouches for this epoch (`rookery directory trust`). */
  vouch(by: Bytes): Promise<void>;
  /** The open case of a name. */
  case(name: Bytes): Promise<Case | undefined>;
  /** All open cases, the oldest first. */
  cases(): Promise<Case[]>;
  /** The names that have an open case, those of the oldest first. */
  caseNames(): Promise<Bytes[]>;
  /** How many cases are open, and since when the oldest is, in milliseconds since 1970. */
  caseload(): Promise<Caseload>;
  /** Carries out what was found; false, and nothing done, where row or case are not as expected any more. */
  resolve(resolution: Resolution): Promise<boolean>;
  /** Rings for a name whose row somebody has found reason to doubt: its case is opened, or is older news from then on. */
  suspect(name: Bytes, reason: string, session: string): Promise<void>;
  /** Notes what an open case waits for; nothing happens where none is open. */
  note(name: Bytes, waiting: string): Promise<void>;
  /**
   * Takes the lease on a name's tree for so many milliseconds, or renews one's own; false when another holds it. To take it
   * is a change in the log, so that whoever remembers rows hears of it.
   */
  lease(name: Bytes, lease: Lease, milliseconds: number): Promise<boolean>;
  /** Gives it back; nothing happens when it is another's, or none. */
  release(name: Bytes, token: string): Promise<void>;
  close(): Promise<void>;
}
