// The door `serve`: every processor there is, given what it needs, and run until stopped.
import type { RunningWorkers, WorkersStart } from '../services/events/processor.ts';
import { startWorkers } from './host.ts';
import { reconcileProcessor } from './reconcile.ts';
import type { ProcessorFacts } from './reconcile.ts';

export function serve(start: WorkersStart & ProcessorFacts): RunningWorkers {
  return startWorkers({ ...start, processors: { reconcile: reconcileProcessor(start) } });
}
