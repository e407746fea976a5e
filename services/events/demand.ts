// What queues ask of workers: of one queue, and of several together.

/** What waits in one queue and what is being worked on, at one moment. */
export interface QueueDemand {
  waiting: number;
  /** Jobs with a priority: they wait in a line of their own. */
  prioritized: number;
  /** Delayed jobs whose time has come: they move into the line when a worker asks, and no worker may be there to ask. */
  due: number;
  /** Jobs that workers have now. */
  active: number;
  /** For how long the job that has waited longest could have been taken, in milliseconds; 0 when none waits. */
  oldestAge: number;
  /** Its jobs stay where they are, however many workers there are. */
  paused: boolean;
}

/** What several queues come to. */
export interface Demand {
  /** Jobs that a worker could take now. */
  depth: number;
  active: number;
  /** In milliseconds, of the jobs that count. */
  oldestAge: number;
  /** No queue gives jobs away. */
  paused: boolean;
}

/** Queues together. What waits in a paused queue waits for somebody else than a worker, and does not count. */
export function demandOf(queues: readonly QueueDemand[]): Demand {
  const open = queues.filter(({ paused }) => !paused);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  return {
    depth: sum(open.map(({ waiting, prioritized, due }) => waiting + prioritized + due)),
    active: sum(queues.map(({ active }) => active)),
    oldestAge: Math.max(0, ...open.map(({ oldestAge }) => oldestAge)),
    paused: queues.length > 0 && open.length === 0,
  };
}
