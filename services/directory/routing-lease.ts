// Routing leases: which processes go by what they remember of the directory, and how much of the change log each has seen.
import type { Position } from './directory.ts';

/** What a process that remembers rows has said of itself. */
export interface RoutingLease {
  /** Never used again for another process. No space in it. */
  reader: string;
  /** Every change up to this number of each shard's log is seen in what it remembers. */
  seen: readonly number[];
}

/**
 * A row in a process's memory is good only while the process holds a routing lease (rules.md section 6). Whoever changes
 * where mail goes, and must be sure that nobody delivers to the old place any more, takes the lease on the tree, which is a
 * change in the log, and waits until each reader has seen it, or holds no routing lease.
 */
export interface RoutingLeases {
  /**
   * Notes that a reader holds a lease for so many milliseconds from now on, and what it has seen. Gives the end of the
   * change log as it is after that: with all of it seen, the lease may be gone by.
   */
  renew(lease: RoutingLease, milliseconds: number): Promise<Position>;
  /** The reader remembers nothing any more. */
  end(reader: string): Promise<void>;
  /** All that hold now, in no order. */
  held(): Promise<RoutingLease[]>;
}
