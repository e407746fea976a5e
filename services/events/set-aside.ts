// Events of trees that were set aside, told as the dead letters that they are: found, given back to their tree, discarded.
import type { JobView, WholeJob } from './backlog.ts';
import { fits } from './job-filter.ts';
import type { JobFilter } from './job-filter.ts';
import { treeQueueNames, written } from './queues.ts';
import type { QueueName, TreeQueue } from './queues.ts';
import type { AsideEvent } from './tree-event.ts';
import type { TreeEvents } from './tree-events.ts';

/** Before the number of an event; no job's id has a colon. */
const prefix = 'event:';

/** More than can be set aside (tree.lua). */
const all = Infinity;

/** Of queues that no tree has events in there is nothing to be found here. */
export class SetAside {
  readonly #trees: TreeEvents;

  constructor(trees: TreeEvents) {
    this.#trees = trees;
  }

  async count(queue: QueueName): Promise<number> {
    return isTreeQueue(queue) ? this.#trees.lists(queue).asideCount() : 0;
  }

  /** Those that fit the filter, the latest first. */
  async find(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return (await this.#fitting(queue, filter)).map(viewOf);
  }

  /** All that is known of one; undefined when there is none of this id. */
  async event(queue: QueueName, id: string): Promise<WholeJob | undefined> {
    const [event] = await this.#fitting(queue, { id });
    if (!event) return undefined;
    const data = { tree: written(event.tree), body: event.body };
    return { ...viewOf(event), failures: undefined, traceparent: undefined, progress: undefined, data, log: [] };
  }

  /** Gives those that fit the filter back to their trees, behind what waits there, in their order; gives them. */
  async retry(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return this.#each(queue, filter, (tree, id) => this.#trees.giveBack(tree, id));
  }

  /** Forgets those that fit the filter, and gives them. */
  async discard(queue: QueueName, filter: JobFilter): Promise<JobView[]> {
    return this.#each(queue, filter, (tree, id) => this.#trees.lists(tree).discard(id));
  }

  /** The oldest first, so that what is given back comes in the order in which it came. */
  async #each(
    queue: QueueName,
    filter: JobFilter,
    treat: (queue: TreeQueue, id: number) => Promise<boolean>,
  ): Promise<JobView[]> {
    if (!isTreeQueue(queue)) return [];
    const done: AsideEvent[] = [];
    for (const event of (await this.#fitting(queue, filter)).reverse()) {
      if (await treat(queue, event.id)) done.push(event);
    }
    return done.reverse().map(viewOf);
  }

  async #fitting(queue: QueueName, filter: JobFilter): Promise<AsideEvent[]> {
    if (!isTreeQueue(queue) || (filter.id !== undefined && !filter.id.startsWith(prefix))) return [];
    const events = await this.#trees.lists(queue).aside(all);
    return events.filter((event) => fits(viewOf(event), filter)).reverse();
  }
}

function isTreeQueue(queue: QueueName): queue is TreeQueue {
  return (treeQueueNames as readonly QueueName[]).includes(queue);
}

function viewOf({ id, tree, at, attempts, since, reason }: AsideEvent): JobView {
  return {
    ...{ id: `${prefix}${id}`, state: 'failed', subject: tree, attempts, since: at, finished: since },
    // Whatever it failed for, its subscriber could not apply it.
    ...{ kind: 'fault', reason, worker: undefined },
  };
}
