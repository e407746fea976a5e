// A worker for all queues in a process of its own, for tests that kill it: `node worker-process.ts SOCKET MODE`. It prints
// a line for each job it begins. MODE `hang` never finishes one, `work` finishes each, `slow` takes its time for it; in
// every mode the job `poison` kills the process.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../../services/events/processor.ts';
import { workOn } from './events.ts';

const [, , socket = '', mode] = process.argv;

async function look(name: string): Promise<Outcome> {
  process.stdout.write(`begins ${name}\n`);
  if (name === 'poison') process.kill(process.pid, 'SIGKILL');
  if (mode === 'hang') await new Promise(() => undefined);
  if (mode === 'slow') await sleep(20);
  return { is: 'done', note: 'worked' };
}

const workers = workOn(
  socket,
  {
    placement: ({ name }) => look(name),
    moves: ({ name }) => look(name),
    plans: ({ run }) => look(run),
    replication: ({ tree }) => look(tree),
    reconcile: ({ name }) => look(name),
    usage: ({ server }) => look(server),
    counts: ({ tree }) => look(tree),
  },
  { grace: 200, lostAfter: 500, name: `test/${process.pid}` },
);
process.once('SIGTERM', () => void workers.stop());
