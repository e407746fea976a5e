// The program `rookery`: one command line carried out in the real world.
import type { ScalingHands, StartWorkers } from '../process/role.ts';
import { onReload, stopAsked } from '../process/stop-asked.ts';
import { version } from '../process/version.ts';
import { openers } from './openers.ts';
import { runProgram } from './program.ts';
import type { Surroundings } from './surroundings.ts';

// Whoever reads no further (`| head`) has seen enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** Services do not use the workers: here, where the program is put together, it is given them. */
const startWorkers: StartWorkers = async (start) => (await import('../../workers/serve.ts')).serve(start);

/** Worker processes are this program, in the role worker. */
const scaling: ScalingHands = {
  local: async (start) =>
    (await import('../../workers/autoscaler/local.ts')).scaleLocally({
      ...{ ...start, program: [process.execPath, ...process.execArgv, import.meta.filename] },
    }),
  keda: async (start) => (await import('../../workers/autoscaler/keda.ts')).serveKeda(start),
};

const surroundings: Surroundings = {
  env: process.env,
  terminal: process.stdout.isTTY
    ? {
        get columns() {
          return process.stdout.columns;
        },
        write: (text) => process.stdout.write(text),
      }
    : undefined,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  ...openers,
  startRoles: async (options) =>
    (await import('../process/start-roles.ts')).startRoles({ ...options, startWorkers, scaling }),
  stopAsked,
  onReload,
};

process.exitCode = await runProgram(process.argv.slice(2), surroundings, version);
// All is done and closed. What may still keep the process is a log that nobody reads: that is not waited for.
setTimeout(() => process.exit(), 2000).unref();
