// Events in order per tree: appended to the tree's list, then rung for; whoever is rung works the list off (tree-drain.ts).
import type { QueueSet } from './queue-set.ts';
import type { TreeQueue } from './queues.ts';
import { TreeLists } from './tree-lists.ts';
import type { Advance, Lead, NewTreeEvent } from './tree-lists.ts';

/** How many events go to Redis in one script, so that it holds up nobody else there: half a millisecond. */
const batchSize = 200;

/**
 * The queue itself keeps no order, and need not: a job of it is only a bell, which says that some list is not empty. It is rung
 * when a list gets its first event. A list that has had events has a worker that goes on until it is empty, or a bell; should
 * that be lost (a crash between append and ring, a job that failed or was removed), the sweep rings again.
 */
export class TreeEvents {
  readonly #queues: QueueSet;

  constructor(queues: QueueSet) {
    this.#queues = queues;
  }

  lists(queue: TreeQueue): TreeLists {
    return new TreeLists(this.#queues, queue);
  }

  /**
   * Appends events in their order and rings for their trees; resolves when Redis has all of it. A source that has the lead may
   * advance its position with the last part. False when the lead was lost, or the position is not where it was: then nothing,
   * or only a first part, was appended. Rejects when Redis does not answer: the events may have been appended or not.
   */
  async append(
    queue: TreeQueue,
    events: readonly NewTreeEvent[],
    lead?: Lead,
    { from, to }: Advance = {},
  ): Promise<boolean> {
    const lists = this.lists(queue);
    for (let at = 0; at === 0 || at < events.length; at += batchSize) {
      const isLast = at + batchSize >= events.length;
      const begun = await lists.append(events.slice(at, at + batchSize), lead, { from, to: isLast ? to : undefined });
      if (!begun) return false;
      if (begun[0] !== undefined) await lists.bells.ring(begun[0]);
    }
    return true;
  }

  /** Rings when trees could be taken for so many milliseconds and nobody has; gives their number. */
  async sweep(queue: TreeQueue, quietFor: number): Promise<number> {
    const lists = this.lists(queue);
    const { count, tree } = await lists.overdue(quietFor);
    if (count > 0) await lists.bells.ring(tree);
    return count;
  }

  /** Gives an event that was set aside back to its tree, behind what waits there; false when there is none with this id. */
  async giveBack(queue: TreeQueue, id: number): Promise<boolean> {
    const lists = this.lists(queue);
    const back = await lists.giveBack(id);
    if (back?.begun) await lists.bells.ring(back.tree);
    return back !== undefined;
  }
}
