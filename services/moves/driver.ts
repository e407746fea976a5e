// What a kind of mail server can do to move a tree: the steps that need the servers themselves. cyrus-xfer.ts is the first one.
import type { Bytes } from '../directory/entry.ts';
import type { Manifest } from './manifest.ts';
import type { Move } from './move.ts';

/**
 * What a server says of the tree's root: it `has` it, it `lacks` it, it has it marked as `moving` (a cut that goes on there,
 * or broke off). Who does not answer rejects: silence is never `lacks`.
 */
export type Held = 'has' | 'moving' | 'lacks';

/** Why a move can't be begun: now (it may be tried again), or at all. */
export type Objection = { is: 'now' | 'never'; why: string };

/** What came of a cut. The server's own words decide nothing: the next look does. */
export interface CutAnswer {
  /** It said that all went well. */
  ok: boolean;
  /** Its words, untagged ones too, for people and the log. */
  said: string;
}

/**
 * Every one may be asked twice, and says the same or does nothing then. Rejections carry a `kind`: `away` (not reached, no
 * answer in time, the connection broke: nobody knows what came of it), `busy` (no, for now), `refused` (no).
 */
export interface MoveDriver {
  readonly name: string;
  /** What the server holds of the tree. */
  holds(server: Bytes, name: Bytes): Promise<Held>;
  /**
   * The unique id of the server's root mailbox, the same wherever it is moved; undefined where it has none. Left out: two
   * mailboxes of one name can't be told apart before the manifests are compared.
   */
  uniqueId?(server: Bytes, name: Bytes): Promise<string | undefined>;
  /**
   * Looks, before anything is begun, at whether the move can come about: the destination is alive and has that partition and
   * the room, the versions go together, the quota fits, the source really has it.
   */
  check(move: Move): Promise<Objection | undefined>;
  /** All that the server has of the tree. Undefined where it has nothing of it. */
  manifest(server: Bytes, name: Bytes, signal: AbortSignal): Promise<Manifest | undefined>;
  /** Copies ahead of the cut what can be copied while mail goes on; false where this driver can't. Changes nothing at the source. */
  copy(move: Move, signal: AbortSignal): Promise<boolean>;
  /**
   * Has the tree's source hand it over. Takes as long as the servers need; `signal` gives up waiting, not the cut. Must be
   * told again after a broken one, and then finishes it.
   */
  cut(move: Move, signal: AbortSignal): Promise<CutAnswer>;
  /** Has a server tell the directory of mailboxes that it has. */
  push(server: Bytes, names: readonly Bytes[]): Promise<void>;
  /**
   * Deletes a server's own copy of a tree, and tells nobody: only ever what is proven to be whole elsewhere. `confirm` is
   * called right before each order that deletes anything, however long it took to come so far; where it rejects no order is
   * given any more, and this rejects with the same.
   */
  discard(server: Bytes, name: Bytes, confirm: () => Promise<void>): Promise<void>;
  /** Lets go of what it keeps, connections say. */
  close?(): Promise<void>;
}
