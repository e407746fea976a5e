// Which partition a tree goes to: the one of the same name first, the one that is wanted then.
import type { ImapAdmins } from '../backends/imap-admins.ts';
import { partitionFor } from '../backends/imap-move.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Move } from './move.ts';

/**
 * How to go there. `handOver` is what the cut names: nothing, so that each mailbox goes to the partition of the same name,
 * unless the destination lacks one of those. `into`: those in which it will lie, be it on its way to another one. `lacking`: a
 * partition that is not there, and it cannot be moved so.
 */
export type PartitionPlan = { handOver: Bytes | undefined; into: readonly Bytes[] } | { lacking: Bytes };

/** How long it is remembered that a server has a partition, in milliseconds. */
const remembered = 600_000;

export class CyrusPartitions {
  readonly #admins: ImapAdmins;
  /** The partitions in which a server has mailboxes of a tree. */
  readonly #used: (server: Bytes, name: Bytes) => Promise<readonly Bytes[]>;
  readonly #clock: () => number;
  readonly #seen = new Map<string, number>();

  constructor(
    admins: ImapAdmins,
    used: (server: Bytes, name: Bytes) => Promise<readonly Bytes[]>,
    clock: () => number = Date.now,
  ) {
    this.#admins = admins;
    this.#used = used;
    this.#clock = clock;
  }

  async plan({ name, from, to }: Move): Promise<PartitionPlan> {
    const wanted = to.partition === '' ? undefined : to.partition;
    if (wanted !== undefined && !(await this.has(to.server, wanted))) return { lacking: wanted };
    const last = wanted === undefined ? [] : [wanted];
    if (from.server === to.server) return { handOver: undefined, into: last };
    const all = await this.#used(from.server, name);
    for (const used of all) {
      if (await this.has(to.server, used)) continue;
      const place = wanted ?? (await this.#default(to.server));
      return place === undefined ? { lacking: used } : { handOver: place, into: [place] };
    }
    return { handOver: undefined, into: [...new Set([...all, ...last])] };
  }

  /** Whether a server has a partition. Rejects where it does not say. */
  async has(server: Bytes, partition: Bytes): Promise<boolean> {
    const key = `${server}!${partition}`;
    if ((this.#seen.get(key) ?? -Infinity) > this.#clock() - remembered) return true;
    const found = await this.#ask(server, partition);
    if (found !== undefined) this.#seen.set(key, this.#clock());
    return found !== undefined;
  }

  #default(server: Bytes): Promise<Bytes | undefined> {
    return this.#ask(server, undefined);
  }

  #ask(server: Bytes, partition: Bytes | undefined): Promise<Bytes | undefined> {
    return this.#admins.ask(server, (admin) =>
      admin.asks('its partitions', (session) => partitionFor(session, partition)),
    );
  }
}
