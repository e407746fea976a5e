// The queues in Redis, over one connection that fails fast: for producers and for whoever looks at what waits.
import { once } from 'node:events';
import { Queue } from 'bullmq';
import { commandConnection, connected, unheard } from '../redis/connection.ts';
import type { ConnectionHearer, RedisPlace } from '../redis/connection.ts';
import { settledWithin } from './bound.ts';
import type { QueueName } from './queues.ts';

/** Before the names of all queues' keys. The hash tag keeps each queue in one slot of a Redis Cluster. */
export const keyPrefix = 'rookery:{events}';

/** How long a command may take, in milliseconds: nobody's mail waits for it. */
const commandTimeout = 5_000;

/** How long the queues may take to close, in milliseconds. */
const closeTimeout = 1_000;

/** How many of BullMQ's own events a queue keeps in Redis: nobody follows them here. */
const eventsKept = 1_000;

/** Redis does not answer where events wait. */
export class EventsAway extends Error {
  override readonly name = 'EventsAway';
  readonly kind = 'away';
}

export class QueueSet {
  readonly #connection: ReturnType<typeof commandConnection>;
  readonly #queues = new Map<QueueName, Queue>();

  /** `hears` is told of each failure of the connection once, and when it is back: it comes back by itself. */
  constructor(place: RedisPlace, hears: ConnectionHearer = unheard) {
    this.#connection = commandConnection({ place, commandTimeout, ...hears });
  }

  /** Resolves when Redis answers; throws EventsAway, and gives up for good, when it does not within `timeout` ms. */
  async connected(timeout = commandTimeout): Promise<void> {
    await connected(this.#connection, timeout).catch((error: unknown) => {
      throw new EventsAway('Redis does not answer', { cause: error });
    });
  }

  /** Resolves when Redis answers, or the first attempt to reach it has failed: it is tried again then. */
  async begun(): Promise<void> {
    if (this.answers) return;
    const signal = AbortSignal.timeout(commandTimeout);
    await once(this.#connection, 'ready', { signal }).catch(() => undefined);
  }

  /** For what is kept beside the queues. Throws EventsAway while Redis is away. */
  get redis(): ReturnType<typeof commandConnection> {
    if (!this.answers) throw new EventsAway('Redis does not answer');
    return this.#connection;
  }

  /** A queue to ask or to give something. Throws EventsAway while Redis is away: BullMQ itself would wait for it. */
  queue(name: QueueName): Queue {
    if (!this.answers) throw new EventsAway('Redis does not answer');
    return this.handle(name);
  }

  /** Whether Redis answers now, as far as is known. */
  get answers(): boolean {
    return this.#connection.status === 'ready';
  }

  /** A queue whether or not Redis answers now; without it, whatever is asked of the queue waits. */
  handle(name: QueueName): Queue {
    const known = this.#queues.get(name);
    if (known) return known;
    const queue = new Queue(name, {
      connection: this.#connection,
      prefix: keyPrefix,
      // Asked once, at the start: were that one answer lost, the queue would fail for ever.
      skipVersionCheck: true,
      streams: { events: { maxLen: eventsKept } },
    });
    // The same errors that the connection has told of.
    queue.on('error', () => undefined);
    this.#queues.set(name, queue);
    return queue;
  }

  async close(): Promise<void> {
    this.#connection.disconnect();
    const closing = Array.from(this.#queues.values(), (queue) => queue.close());
    await settledWithin(Promise.all(closing), closeTimeout);
  }
}
