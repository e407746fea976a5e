// A directory whose changes are counted, for a test: its source, its workers, and the full count to compare with.
import assert from 'node:assert/strict';
import { startChangeSource } from '../../services/changes/change-source.ts';
import type { ChangeSourceOptions } from '../../services/changes/change-source.ts';
import { Counts } from '../../services/changes/counts.ts';
import type { Figures } from '../../services/changes/tally.ts';
import type { Directory } from '../../services/directory/directory.ts';
import { serverOf } from '../../services/directory/entry.ts';
import { placeOf } from '../../services/directory/tree.ts';
import type { ApplyTreeEvents } from '../../services/events/tree-drain.ts';
import { quietLog } from './quiet-log.ts';
import { openTrees, workTrees } from './tree-events.ts';
import { until } from './until.ts';

/** The counts kept in the Redis at this socket, with what keeps them. */
export function openCounts(socket: string) {
  const opened = openTrees(socket);
  const counts = new Counts(opened.queues);
  const source = (directory: Directory, options: Partial<ChangeSourceOptions> = {}) =>
    startChangeSource({
      ...{ directory, events: opened.trees, subscriber: counts, lostAfter: 1_000, log: quietLog, ...options },
    });
  const apply: ApplyTreeEvents = async (work) => {
    await counts.apply(work);
  };
  return { ...opened, counts, source, work: () => workTrees(socket, apply) };
}

/** What a full scan of the directory counts. */
export async function fullCount(directory: Directory): Promise<Map<string, Figures>> {
  const found = new Map<string, Figures>();
  for (const { name, location } of (await directory.snapshot()).entries) {
    const server = serverOf(location);
    const { mailboxes, users } = found.get(server) ?? { mailboxes: 0, users: 0 };
    const { shared, field } = placeOf(name);
    found.set(server, { mailboxes: mailboxes + 1, users: users + (!shared && field === '' ? 1 : 0) });
  }
  return found;
}

const sorted = (figures: ReadonlyMap<string, Figures>) => [...figures].sort(([a], [b]) => (a < b ? -1 : 1));

/** Waits until the counts are what a full count gives; fails with both when they don't become so. */
export async function assertCounted(counts: Counts, directory: Directory, boundMs = 20_000): Promise<void> {
  const expected = sorted(await fullCount(directory));
  const kept = async () => sorted(await counts.byServer());
  // While Redis comes back nobody can be asked.
  const same = async () => JSON.stringify(await kept().catch(() => [])) === JSON.stringify(expected);
  await until('the counts are right', same, boundMs).catch(async () => {
    assert.deepEqual(await kept(), expected);
  });
}
