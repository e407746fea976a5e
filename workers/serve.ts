// Every processor there is, given what it needs, and run until stopped.
import { ImapAdmins } from '../services/backends/imap-admins.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { Times } from '../services/directory/rules.ts';
import type { Processors, RunningWorkers, WorkersStart } from '../services/events/processor.ts';
import { startWorkers } from './host.ts';
import { reconcileProcessor } from './reconcile.ts';

export interface ServeStart extends WorkersStart {
  directory: Directory;
  registry: Registry;
  times: Times;
  /** For the login at a backend by IMAP, and for each question to it, in milliseconds. */
  imapTimeout: number;
}

export function serve(start: ServeStart): RunningWorkers {
  const { directory, registry, times, imapTimeout, log } = start;
  const admins = new ImapAdmins(registry, imapTimeout);
  const processors: Processors = { reconcile: reconcileProcessor({ directory, registry, admins, times, log }) };
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
