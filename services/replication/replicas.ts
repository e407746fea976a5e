// From changes of the directory and from deliveries to the queues of the backends' replicas: which tree, at which backend.
import type { Subscriber } from '../changes/subscriber.ts';
import { isGrave, serverOf } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import type { Producer } from '../events/producer.ts';
import { replicaQueue } from '../events/queues.ts';
import type { TreeWork } from '../events/tree-drain.ts';

/**
 * An event of a tree names the backends whose replicas may be behind with it: where the mailbox is, and where it was. It
 * becomes a ring in the queue of each, and all that a ring says is "look": the host of that backend brings its replica up to
 * what the backend has at that time. So any number of events are one run, their order does not matter, and a tree that moves
 * from backend to backend is looked after by both, each for its own replica.
 */
export class Replicas implements Subscriber {
  readonly queue = 'replication';
  readonly #producer: Pick<Producer, 'ring' | 'rung'>;
  readonly #backends: ReadonlySet<Bytes>;

  /** `backends` are those that have a replica. */
  constructor(producer: Pick<Producer, 'ring' | 'rung'>, backends: Iterable<Bytes>) {
    this.#producer = producer;
    this.#backends = new Set(backends);
  }

  /** Whether any backend has a replica. */
  get any(): boolean {
    return this.#backends.size > 0;
  }

  has(backend: Bytes): boolean {
    return this.#backends.has(backend);
  }

  readonly changed: Subscriber['changed'] = ({ name, from, location, state }) =>
    this.#event(name, [from, ...(state === 'absent' ? [] : [location])]);

  readonly resynced: Subscriber['resynced'] = (entries) => {
    const rows = entries.filter((entry) => !isGrave(entry));
    return this.#event(
      rows[0]?.name,
      rows.map(({ location }) => location),
    );
  };

  /** What has gone meanwhile is not asked for: its replica is looked after when something of that name changes again. */
  readonly known: Subscriber['known'] = () => Promise.resolve([]);

  readonly apply = async ({ tree, events }: TreeWork): Promise<void> => {
    const backends = new Set(events.flatMap(({ body }) => body.split(' ')));
    for (const backend of backends) {
      // It may have lost its replica since.
      if (this.has(backend)) await this.#producer.rung(replicaQueue(backend), [{ tree }]);
    }
  };

  /** A backend has taken a message for this mailbox. Waits for nothing, whatever Redis does. */
  delivered(mailbox: Bytes, backend: Bytes): void {
    const { tree, shared } = placeOf(mailbox);
    if (this.has(backend) && !shared) this.#producer.ring(replicaQueue(backend), { tree });
  }

  /** Nothing where no replica is concerned. Shared mailboxes have no user whom sync_client could be told of. */
  #event(name: Bytes | undefined, locations: readonly Bytes[]): string | undefined {
    if (name === undefined || placeOf(name).shared) return undefined;
    const backends = new Set(locations.map(serverOf).filter((server) => this.has(server)));
    return backends.size === 0 ? undefined : [...backends].join(' ');
  }
}
