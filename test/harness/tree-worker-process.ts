// A worker of trees' lists in a process of its own, for tests that kill or stop it: `node tree-worker-process.ts OPTIONS`, which
// are JSON. It prints what its log is told.
import { openSync } from 'node:fs';
import { workTrees, writing } from './tree-events.ts';
import type { TreeWorkerOptions } from './tree-events.ts';

const options = JSON.parse(process.argv[2] ?? '') as TreeWorkerOptions;
const print = (fields: object, text: string) => void process.stdout.write(`${text} ${JSON.stringify(fields)}\n`);
const { socket, file, lostAfter, batch } = options;
const workers = workTrees(socket, writing(openSync(file, 'a'), options), {
  ...{ lostAfter, batch, log: { debug: print, info: print, warn: print, error: print } },
});
process.once('SIGTERM', () => void workers.stop());
process.stdout.write('ready\n');
