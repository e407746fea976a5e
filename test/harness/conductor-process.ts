// A conductor and a worker of pretended moves in a process of its own, for tests that kill it: `node conductor-process.ts
// SOCKET`. Each move takes some milliseconds; one move at a time of each name is noted in Redis by how often it was begun.
import { setTimeout as sleep } from 'node:timers/promises';
import { Conducting } from '../../services/moves/conducting.ts';
import { MoveStore } from '../../services/moves/move-store.ts';
import { RunStore } from '../../services/moves/run-store.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { moveEnded, plansProcessor } from '../../workers/plans.ts';
import { openQueues, workOn } from './events.ts';
import { quietLog } from './quiet-log.ts';

const [, , socket = ''] = process.argv;
const redis = commandConnection({ place: { socket }, commandTimeout: 5000, onError: () => undefined });
await connected(redis, 5000);
const { producer } = openQueues(socket);
const moves = new MoveStore(redis, 1000);
const ring = (name: string) => {
  producer.ring('moves', { name });
};
const conducting = new Conducting({
  ...{
    runs: new RunStore(redis, 1000),
    moves,
    ring,
    weather: () => Promise.resolve({}),
    clock: Date.now,
    log: quietLog,
  },
});
const next = moveEnded({ conducting, log: quietLog });
workOn(
  socket,
  {
    plans: plansProcessor({ conducting, pause: 100 }),
    moves: async ({ name }) => {
      const kept = await moves.read(name);
      if (kept?.move.state !== 'open') return { is: 'done', note: 'nothing is to be done' };
      await sleep(5);
      const ended = { ...kept.move, state: 'done', note: 'moved', times: { ended: Date.now() } } as const;
      if (await moves.replace(kept, ended)) {
        await redis.hincrby('test:ended', name, 1);
        next(ended);
      }
      return { is: 'done', note: 'moved' };
    },
  },
  { concurrency: 20, lostAfter: 500, name: `test/${process.pid}` },
);
process.stdout.write('ready\n');
