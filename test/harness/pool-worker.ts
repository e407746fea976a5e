// A worker of a pool, for tests that scale: `node pool-worker.ts SOCKET MS run worker --queues ... --concurrency N`. Each job
// takes MS milliseconds; on SIGTERM those that run are finished. With MS `dies` it ends at once, as a broken program does.
import { setTimeout as sleep } from 'node:timers/promises';
import { work } from './events.ts';

const [, , socket = '', duration = '', ...words] = process.argv;
if (duration === 'dies') process.exit(3);
const concurrency = Number(words[words.indexOf('--concurrency') + 1]);
const workers = work(
  socket,
  async () => {
    await sleep(Number(duration));
    return { is: 'done', note: String(process.pid) };
  },
  { grace: 5_000, concurrency, lostAfter: 30_000 },
);
process.once('SIGTERM', () => void workers.stop());
