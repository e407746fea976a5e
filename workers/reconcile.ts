// The processor of the queue `reconcile`: looks whether a mailbox's row tells the truth. For now it only says that it was rung.
import type { Registry } from '../services/backends/registry.ts';
import type { Directory } from '../services/directory/directory.ts';
import type { EventLog, Processor } from '../services/events/processor.ts';
import { readable } from '../services/address/bytes.ts';

export interface ProcessorFacts {
  directory: Directory;
  registry: Registry;
  log: EventLog;
}

export function reconcileProcessor({ log }: ProcessorFacts): Processor<'reconcile'> {
  return ({ name }) => {
    log.info({ mailbox: readable(name) }, 'reconciliation is due');
    return Promise.resolve({ is: 'open', note: 'looked at by nobody yet' });
  };
}
