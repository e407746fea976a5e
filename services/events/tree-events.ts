// Events in order per tree: appended to the tree's list, then rung for; whoever is rung works the list off (tree-drain.ts).
import type { Producer } from './producer.ts';
import type { QueueSet } from './queue-set.ts';
import type { TreeQueue } from './queues.ts';
import { TreeLists } from './tree-lists.ts';
import type { Advance, Lead, NewTreeEvent } from './tree-lists.ts';

/** How many events go to Redis in one script, so that it holds up nobody else there: half a millisecond. */
const batchSize = 200;

/** How many trees one sweep rings for; of more than these, others each time. */
const mostRings = 5_000;

/**
 * The queue itself keeps no order, and need not: a job of it is only a bell, which says that a tree's list is not empty. It
 * is rung when a list gets its first event. A list that has had events has its bell, or a worker that goes on until it is
 * empty; should the bell be lost (a crash between append and ring, a job that failed or was removed), the sweep rings again.
 */
export class TreeEvents {
  readonly #queues: QueueSet;
  readonly #producer: Producer;

  constructor(queues: QueueSet, producer: Producer) {
    this.#queues = queues;
    this.#producer = producer;
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
      await this.#producer.rung(
        queue,
        begun.map((tree) => ({ tree })),
      );
    }
    return true;
  }

  /** Rings for lists whose first event has waited for so many milliseconds: most have a bell, which makes it no ring. Gives their number. */
  async sweep(queue: TreeQueue, quietFor: number): Promise<number> {
    const lists = this.lists(queue);
    const before = Date.now() - quietFor;
    const { count } = await lists.quiet(before, 0, 0);
    // Those that stay blocked are the oldest: always the same ones would be rung for.
    const from = count > mostRings ? Math.floor(Math.random() * (count - mostRings)) : 0;
    const { trees } = await lists.quiet(before, from, mostRings);
    await this.#producer.rung(
      queue,
      trees.map((tree) => ({ tree })),
    );
    return trees.length;
  }

  /** Gives an event that was set aside back to its tree, behind what waits there; false when there is none with this id. */
  async giveBack(queue: TreeQueue, id: number): Promise<boolean> {
    const back = await this.lists(queue).giveBack(id);
    if (back?.begun) await this.#producer.rung(queue, [{ tree: back.tree }]);
    return back !== undefined;
  }
}
