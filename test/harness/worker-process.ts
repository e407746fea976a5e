// A worker in a process of its own, for tests that kill it: `node worker-process.ts SOCKET MODE`. It prints a line for
// each job it begins; MODE `hang` never finishes one, `work` finishes each.
import { work } from './events.ts';

const [, , socket = '', mode] = process.argv;
const workers = work(
  socket,
  ({ name }) => {
    process.stdout.write(`begins ${name}\n`);
    return mode === 'hang' ? new Promise(() => undefined) : Promise.resolve({ is: 'done', note: 'worked' });
  },
  { grace: 200 },
);
process.once('SIGTERM', () => void workers.stop());
