// A process that places users, for tests of several at once: `node placement-process.ts SOCKET`, and on standard input a line
// of JSON, the Task. It prints `ready` when it is connected, places them when it reads `go`, and prints a line of JSON, the Work.
import { createInterface } from 'node:readline';
import { seededChance } from '../../services/placement/chance.ts';
import type { ServerFacts } from '../../services/placement/facts.ts';
import { Placer } from '../../services/placement/placer.ts';
import { Promises } from '../../services/placement/promises.ts';
import type { Mode } from '../../services/placement/selection.ts';
import { commandConnection, connected } from '../../services/redis/connection.ts';
import { policyFor } from './placement.ts';

export interface Task {
  servers: ServerFacts[];
  mode: Mode;
  /** What a user is promised. */
  KiB: number;
  users: number;
  /** Before the tokens, and the seed of its chance. */
  process: number;
}

export interface Work {
  placed: number;
  refused: number;
  /** Decisions, the ones included that others were faster than. */
  tries: number;
}

async function place(task: Task, promises: Promises): Promise<Work> {
  const { servers, mode, KiB, users, process } = task;
  const policy = policyFor(servers, { mode, promisedKiB: KiB, promiseLifetime: 3_600_000 });
  const figures = () => Promise.resolve(servers);
  const placer = new Placer({ policy, promises, figures, chance: seededChance(process), now: () => 1000 });
  const work = { placed: 0, refused: 0, tries: 0 };
  for (let user = 0; user < users; user += 1) {
    const placed = await placer.place({ name: `user.${process}-${user}` }, `${process} ${user}`);
    if (placed.is === 'placed') work.tries += placed.tries;
    work[placed.is === 'placed' ? 'placed' : 'refused'] += 1;
  }
  return work;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const socket = process.argv[2] ?? '';
const connection = commandConnection({ place: { socket }, commandTimeout: 30_000, onError: () => undefined });
await connected(connection, 30_000);
const task = JSON.parse(String((await lines.next()).value)) as Task;
process.stdout.write('ready\n');
await lines.next();
process.stdout.write(`${JSON.stringify(await place(task, new Promises(connection)))}\n`);
connection.disconnect();
process.stdin.destroy();
