// Every processor there is, given what it needs, and run until stopped.
import { ImapAdmins } from '../services/backends/imap-admins.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { Times } from '../services/directory/rules.ts';
import type { Counts } from '../services/changes/counts.ts';
import type { Processors, RunningWorkers, WorkersStart } from '../services/events/processor.ts';
import { treeProcessor } from '../services/events/tree-drain.ts';
import type { TreeEvents } from '../services/events/tree-events.ts';
import { startWorkers } from './host.ts';
import { reconcileProcessor } from './reconcile.ts';

export interface ServeStart extends WorkersStart {
  directory: Directory;
  registry: Registry;
  times: Times;
  /** For the login at a backend by IMAP, and for each question to it, in milliseconds. */
  imapTimeout: number;
  trees: TreeEvents;
  counts: Counts;
}

/** How events of a tree are applied again that could not be, in milliseconds: soon at first, then once a minute. */
const pause = { first: 1_000, longest: 60_000 };

/** How many events of a tree are applied at once. */
const batch = 100;

export function serve(start: ServeStart): RunningWorkers {
  const { directory, registry, times, imapTimeout, trees, counts, lostAfter, log } = start;
  const admins = new ImapAdmins(registry, imapTimeout);
  const processors: Processors = {
    reconcile: reconcileProcessor({ directory, registry, admins, times, log }),
    // What comes after a change makes no sense without it: a tree with one that can't be counted waits.
    counts: treeProcessor({
      ...{ lists: trees.lists('counts'), apply: counts.apply, poison: 'wait', batch, lostAfter, pause, log },
    }),
  };
  const workers = startWorkers({ ...start, processors });
  return {
    queues: workers.queues,
    get busy() {
      return workers.busy;
    },
    async stop() {
      await workers.stop();
      await admins.close();
    },
  };
}
