// How full a backend is: the figure, and how it is asked for.
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Space } from '../backends/imap-space.ts';
import type { PartitionSpace, Registry } from '../backends/registry.ts';

/** What a backend said of its room, or that it said nothing. Sizes in KiB. */
export interface UsageFigure {
  server: string;
  /** When it was asked, in milliseconds since 1970. */
  at: number;
  /** Whether there is a figure; else `error` says why not. */
  answered: boolean;
  /** All partitions together, those on one filesystem counted once. */
  total?: Space;
  /** The partition of which the smallest part is used; Cyrus does not say which. */
  emptiest?: Space;
  /** By name, where the configuration tells them: over IMAP Cyrus does not. */
  partitions: PartitionSpace[];
  error?: string;
}

export interface UsageSources {
  registry: Pick<Registry, 'find'>;
  admins: Pick<ImapAdmins, 'ask'>;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * The figure of one backend: what the configuration says of its partitions, else what it says itself. Never rejects: a
 * backend that is silent, refuses or lies has a figure that says so.
 */
export async function askUsage(server: string, { registry, admins, now }: UsageSources): Promise<UsageFigure> {
  const partitions = [...(registry.find(server)?.space ?? [])];
  const figure = { server, at: now, partitions };
  if (partitions.length > 0) return { ...figure, answered: true, ...summary(partitions) };
  try {
    return { ...figure, answered: true, ...(await admins.ask(server, (admin) => admin.freeSpace())) };
  } catch (error) {
    return { ...figure, answered: false, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Of partitions, at least one, what Cyrus would say of them: those on one filesystem count once. */
function summary(partitions: readonly PartitionSpace[]): { total: Space; emptiest: Space } {
  const filesystems = new Map(partitions.map((one) => [one.filesystem ?? `partition ${one.name}`, one]));
  const spaces = [...filesystems.values()].map(({ availableKiB, totalKiB }) => ({ availableKiB, totalKiB }));
  return {
    total: spaces.reduce((sum, one) => ({
      availableKiB: sum.availableKiB + one.availableKiB,
      totalKiB: sum.totalKiB + one.totalKiB,
    })),
    emptiest: spaces.reduce((best, one) => (free(one) > free(best) ? one : best)),
  };
}

function free({ availableKiB, totalKiB }: Space): number {
  return availableKiB / totalKiB;
}
