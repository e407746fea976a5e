// What trees of unknown size are taken for while they are placed, so that many of them spread as their mail will.

interface Filled {
  name: string;
  users: number;
  /** Undefined where nothing is known of it. */
  space: { usedKiB: number } | undefined;
}

interface Bounds {
  /** What a new user is taken for. */
  promisedKiB: number;
  /** What all of them may be, in KiB each, and have room. */
  most: number;
}

/** Room that is left to those of known size, and to what comes meanwhile. */
const share = 0.9;

/**
 * By server: what a user has there in the mean, or anywhere, where nothing is known of that server; never so much that they would
 * have no room for that alone, and never less than a new user is taken for, in KiB. A disk holds other things, too: so it is
 * a measure to spread by, and no size.
 */
export function supposedSizes(
  servers: readonly Filled[],
  sources: ReadonlySet<string>,
  { promisedKiB, most }: Bounds,
): ReadonlyMap<string, number> {
  const anywhere = meanOf(servers);
  return new Map(
    Array.from(sources, (source) => {
      const mean = meanOf(servers.filter(({ name }) => name === source)) ?? anywhere ?? promisedKiB;
      return [source, Math.max(promisedKiB, Math.floor(Math.min(mean, share * most)))];
    }),
  );
}

/** Undefined where nothing is known. */
function meanOf(servers: readonly Filled[]): number | undefined {
  const known = servers.flatMap(({ users, space }) => (space && users > 0 ? [{ users, ...space }] : []));
  const users = known.reduce((sum, one) => sum + one.users, 0);
  const used = known.reduce((sum, one) => sum + Math.max(0, one.usedKiB), 0);
  return users === 0 ? undefined : used / users;
}
