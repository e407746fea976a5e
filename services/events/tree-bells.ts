// The bells of a queue of trees: jobs that have a worker look for trees whose list is not empty.
import { writeJob } from './envelope.ts';
import { jobOptions } from './job-options.ts';
import type { QueueSet } from './queue-set.ts';
import type { TreeQueue } from './queues.ts';

/**
 * A bell is for all trees: whoever is rung works off what he finds. So one that nobody has heard yet is enough, however many
 * trees wait: whoever hears it finds them all, and rings for help where he leaves some (tree-drain.ts).
 */
export class TreeBells {
  readonly #queues: QueueSet;
  readonly #queue: TreeQueue;

  constructor(queues: QueueSet, queue: TreeQueue) {
    this.#queues = queues;
    this.#queue = queue;
  }

  /** Rings unless a bell waits to be heard; the tree is what people are shown. Resolves when Redis has it. */
  async ring(tree: string): Promise<void> {
    const queue = this.#queues.queue(this.#queue);
    if ((await queue.getWaitingCount()) > 0) return;
    await queue.add(this.#queue, writeJob(this.#queue, { tree }).data, jobOptions());
  }

  /** Rings once more in so many milliseconds, unless somebody else has said so. */
  async ringLater(tree: string, delay: number): Promise<void> {
    const queue = this.#queues.queue(this.#queue);
    await queue.add(this.#queue, writeJob(this.#queue, { tree }).data, { ...jobOptions('later'), delay });
  }
}
