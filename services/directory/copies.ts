// Trees of which a copy is made at another server ahead of their move: not handed over while it is made, and nobody's own there.
import type { Bytes } from './entry.ts';
import { placeOf } from './tree.ts';

/** What is copied as one: all of a user; each shared mailbox by itself, for others of its tree may move at the same time. */
export function copiedAs(name: Bytes): Bytes {
  const { tree, shared } = placeOf(name);
  return shared ? name : tree;
}

/**
 * Cyrus' XFER copies a tree, and then says DEACTIVATE. Where that is answered NO it gives up: the tree is what it was, and
 * its copy stays at the other server. So a move copies ahead while mail goes on, and the XFER that cuts has little left
 * to do. Mail is not put off by it, and nobody's memory of rows is touched.
 *
 * The copy grows old: a folder that its owner has renamed since is there still, under a name that nobody has any more. Where
 * the server starts anew it pushes that name, and would be given it. So names of the tree that are absent are refused
 * to its pushes. And names that are active where they were are refused to it outright, also under a lease: Cyrus says ACTIVATE
 * as soon as it renames a folder of the copy, the tree being elsewhere yet.
 *
 * Where the tree itself comes to be active there, by whatever way, what is there is no copy any more: a write by which the
 * root (or the shared mailbox) is taken there ends it, unless it is being made.
 */
export interface Copies {
  /** A copy is being made at `destination`; DEACTIVATE is refused for each name of the tree. May be repeated. */
  begin(name: Bytes, destination: Bytes, milliseconds: number): Promise<void>;
  /** There is one, or a part of one, and the tree may be handed over. */
  made(name: Bytes, destination: Bytes, milliseconds: number): Promise<void>;
  /**
   * It stays there: it is known for at least so long, as made once it is not made any more. One that is made at another
   * destination meanwhile is left as it is.
   */
  keep(name: Bytes, destination: Bytes, milliseconds: number): Promise<void>;
  /**
   * There is none, or it is the tree itself by now; nothing happens where none was known. With a destination: only what is
   * known there, and is not being made at this moment, for that goes on.
   */
  end(name: Bytes, destination?: Bytes): Promise<void>;
  /** What is known of the tree's copy; undefined where there is none. */
  known(name: Bytes): Promise<Copy | undefined>;
}

/** What is known of the copy of a tree. */
export interface Copy {
  destination: Bytes;
  /** It is being made. */
  goesOn: boolean;
}
