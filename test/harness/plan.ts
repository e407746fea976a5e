// Plans of moves for tests: of rows that are in a directory, as rookery move plan would write them.
import type { Directory } from '../../services/directory/directory.ts';
import { partitionOf, serverOf } from '../../services/directory/entry.ts';
import { serversIn, totalsOf } from '../../services/moves/plan.ts';
import type { Plan, PlannedMove } from '../../services/moves/plan.ts';
import { supposedRate } from '../../services/moves/plan-rate.ts';
import { planLines } from '../../services/moves/plan-text.ts';

const limits = { total: 8, perSource: 4, perDestination: 4, perPartition: 4, bytesPerSecond: 0 };

/** All of these to one server; `asked` makes one plan another. */
export async function planFor(
  directory: Pick<Directory, 'lookup'>,
  names: readonly string[],
  to: string,
  asked = `to ${to}`,
): Promise<Plan> {
  const { entries } = await directory.lookup([...names]);
  const moves = entries.flatMap((row): PlannedMove[] =>
    row
      ? [
          {
            ...{ name: row.name, from: { server: serverOf(row.location), partition: partitionOf(row.location) } },
            ...{ to: { server: to, partition: 'default' }, octets: 1000, sized: 'quota', messages: 3 },
            ...{ version: row.version, seconds: 2 },
          },
        ]
      : [],
  );
  return {
    ...{ made: 1_700_000_000_000, by: 'ann', asked, directory: { epoch: 1, position: [] }, emptied: [] },
    ...{ servers: serversIn(moves), limits, rate: supposedRate, totals: totalsOf(moves, [], 60), notes: [] },
    ...{ moves, leftOut: [] },
  };
}

export function planText(plan: Plan): string {
  return [...planLines(plan), ''].join('\n');
}

/** Has a server hold these mailboxes. */
export async function holding(directory: Directory, server: string, names: readonly string[]): Promise<void> {
  const writer = { session: `of-${server}`, server, admin: false, push: false };
  for (const name of names)
    await directory.write({ verb: 'ACTIVATE', name, location: `${server}!default`, acl: 'anyone\tlrs\t' }, writer);
  await directory.end(writer.session, 'logout');
}
