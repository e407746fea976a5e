// What is known of each server when a user is to be placed: its space, its users, and what is promised to others.

export interface Space {
  availableKiB: number;
  totalKiB: number;
}

export interface PartitionFacts extends Space {
  name: string;
  /** Partitions of a server with the same filesystem share their space. Undefined: it has one of its own. */
  filesystem?: string | undefined;
}

/** What placements in flight will take of a server. */
export interface Promised {
  /** Users whose mailboxes are not there yet, so that nobody counts them but we. */
  users: number;
  /** Space that the figures do not show yet, by partition; under `` where the backend chooses the partition. */
  KiB: ReadonlyMap<string, number>;
}

export interface ServerFacts {
  /** As in `backends` and in locations. */
  name: string;
  /** Whether it answered when it was asked last. */
  answered: boolean;
  /** Why it did not, where that is known; a phrase. */
  silence?: string | undefined;
  /** When its figures were taken, in milliseconds since 1970. */
  at: number;
  /** Its partitions; none where it does not tell them, as Cyrus by its annotations: it then chooses among them itself. */
  partitions: readonly PartitionFacts[];
  /** For one that does not tell its partitions: all their filesystems together (Cyrus' annotation `freespace/total`). */
  total?: Space | undefined;
  /** For such a one: its partition with the most free space in percent (Cyrus' annotation `freespace/percent/most`). */
  emptiest?: Space | undefined;
  /** How many users the directory has there. */
  users: number;
  promised?: Promised | undefined;
}

export interface Facts {
  /** In milliseconds since 1970. */
  now: number;
  /** In the order of the configuration: of equals, the first one is chosen. */
  servers: readonly ServerFacts[];
}

export const nothingPromised: Promised = { users: 0, KiB: new Map() };

/** The facts with what is promised by now. */
export function withPromises(
  servers: readonly ServerFacts[],
  promised: ReadonlyMap<string, Promised>,
): readonly ServerFacts[] {
  return servers.map((server) => ({ ...server, promised: promised.get(server.name) ?? nothingPromised }));
}

/** All that is promised on a server, in KiB. */
export function promisedInAll({ promised = nothingPromised }: ServerFacts): number {
  return Array.from(promised.KiB.values()).reduce((sum, KiB) => sum + KiB, 0);
}

/** What is promised on the filesystem that a partition is on, in KiB. */
export function promisedBeside(
  partition: PartitionFacts,
  { partitions, promised = nothingPromised }: ServerFacts,
): number {
  const { name, filesystem } = partition;
  if (filesystem === undefined) return promised.KiB.get(name) ?? 0;
  const beside = partitions.filter((other) => other.filesystem === filesystem);
  return beside.reduce((sum, other) => sum + (promised.KiB.get(other.name) ?? 0), 0);
}

/** Space without what is promised of it. */
export function lessPromised({ availableKiB, totalKiB }: Space, promisedKiB: number): Space {
  return { availableKiB: Math.max(0, availableKiB - promisedKiB), totalKiB };
}
