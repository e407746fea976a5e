// Who wants to hear of each change of the directory, and what he is told.
import type { Change, Head } from '../directory/directory.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import type { TreeQueue } from '../events/queues.ts';

/** Events come to the lists of its queue: those of a tree in order, each at least once. */
export interface Subscriber {
  queue: TreeQueue;
  /** The event that a change of a tree is to its subscriber; undefined for one that is none of his business. */
  changed(change: Change): string | undefined;
  /**
   * The event that says how a whole tree is after change `at` of its shard, when changes before it may have been lost. No
   * entries: the tree is gone. Undefined as above.
   */
  resynced(entries: readonly Entry[], at: Head): string | undefined;
  /** The trees that it has kept something about: each is told anew at a resync, also where it is gone. */
  known(): Promise<Bytes[]>;
}
