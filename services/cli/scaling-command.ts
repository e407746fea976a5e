// rookery scaling: what the number of workers should be now, and what it would be for a trace of arrivals.
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Pool } from '../events/scaling.ts';
import { poolsOf } from '../process/scaling-pools.ts';
import { svgPlot, textPlot } from '../../workers/autoscaler/plot.ts';
import { simulate } from '../../workers/autoscaler/simulation.ts';
import type { Simulation } from '../../workers/autoscaler/simulation.ts';
import { TraceError, readTrace } from '../../workers/autoscaler/trace.ts';
import type { Arrival } from '../../workers/autoscaler/trace.ts';
import type { PoolValue } from '../operations/scaling-operations.ts';
import type { ApiOptions } from './api-client.ts';
import { configOf, configOption, formatOption, whereOptions, withOptions } from './command-options.ts';
import type { ConfigOption, FormatOption } from './command-options.ts';
import { CommandError, exit } from './exit-codes.ts';
import { jsonLines, pairLines, tableLines } from './render.ts';
import type { Table } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withPools } from './with-operations.ts';

/** From the start of a worker process to its first job, in milliseconds: about so on a machine with two cores. */
const startDelay = 1_000;

interface Options extends ConfigOption, FormatOption {
  trace: string;
  svg?: string;
  pool?: string;
}

const traceFormat = `
A trace is CSV: the heading, then a line for each moment at which jobs came, in order: seconds since the trace began,
how many jobs, and how many seconds a worker is busy with each. Lines that begin with # are comments.
  at,jobs,duration
  0,20,0.5
  60,5000,0.5

Exit codes: 65 the trace cannot be read, 69 the SVG cannot be written.

Examples:
  rookery scaling simulate --trace burst.csv
  rookery scaling simulate --trace night.csv --pool default --svg night.svg`;

function poolNamed(pools: readonly Pool[], name: string | undefined): Pool {
  const pool = name === undefined ? pools[0] : pools.find((one) => one.name === name);
  if (pool) return pool;
  const names = pools.map((one) => one.name).join(', ');
  throw new CommandError(exit.usage, `'${name ?? ''}' is no pool: there are ${names || 'none'}`);
}

function traceFrom(file: string): Arrival[] {
  try {
    return readTrace(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof TraceError ? error.message : `it can't be read (${codeOf(error)})`;
    throw new CommandError(exit.data, `the trace ${file}: ${reason}`, { cause: error });
  }
}

function writeSvg(file: string, svg: string): void {
  try {
    writeFileSync(file, svg);
  } catch (error) {
    throw new CommandError(exit.unavailable, `${file} can't be written (${codeOf(error)})`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function figures(pool: Pool, run: Simulation): [string, string][] {
  const { limits, name } = pool;
  return [
    ['pool', `${name}: ${limits.min} to ${limits.max} workers, ${limits.concurrency} jobs at a time each`],
    [
      'jobs',
      `${run.jobs}${run.unfinished > 0 ? `, of which ${run.unfinished} were not done a day after the last` : ''}`,
    ],
    ['first job done', `${run.firstDone.toFixed(1)} s after it came`],
    ['longest wait', `${run.longestWait.toFixed(1)} s`],
    ['most workers', String(run.mostWorkers)],
    ['changes', String(run.changes)],
    ['without a worker', `${Math.round(run.idleShare * 100)} % of the time`],
    ['worker time', `${Math.round(run.workerSeconds)} s`],
  ];
}

function simulateCommand(surroundings: Surroundings): Command {
  return new Command('simulate')
    .description('play a trace of arrivals through the decisions of a pool, and plot depth, age and workers')
    .addOption(new Option('-t, --trace <file>', 'when jobs came, and how long each takes').makeOptionMandatory())
    .addOption(new Option('-p, --pool <name>', 'a pool of the configuration (default: the first one)'))
    .addOption(new Option('--svg <file>', 'write the plot there, too'))
    .addOption(formatOption())
    .addOption(configOption())
    .addHelpText('after', traceFormat)
    .action((options: Options) => {
      const config = configOf(options, surroundings);
      const pool = poolNamed(poolsOf(config), options.pool);
      const world = { every: config.scaling.interval * 1000, startDelay };
      const run = simulate(traceFrom(options.trace), pool.limits, world);
      const points = run.samples.map(({ at, depth, oldestAge, desired }) => ({
        at,
        depth,
        oldestAge,
        workers: desired,
      }));
      if (options.svg !== undefined) writeSvg(options.svg, svgPlot(points, `${pool.name}: ${options.trace}`));
      const { samples, ...summary } = run;
      const lines = () => [...textPlot(points), '', ...pairLines(figures(pool, run))];
      (options.format === 'json' ? jsonLines([{ pool: pool.name, ...summary, samples }]) : lines()).forEach(
        surroundings.out,
      );
    });
}

function showCommand(surroundings: Surroundings): Command {
  return withOptions(new Command('show'), [formatOption(), ...whereOptions()])
    .description('show how many workers each pool should have now, what waits for them, and why')
    .argument('[pool]', 'only this pool')
    .addHelpText(
      'after',
      '\nExit codes: 65 there is no such pool.\n\nExamples:\n  rookery scaling show\n  rookery scaling show default -f json',
    )
    .action(async (pool: string | undefined, options: ApiOptions & FormatOption) => {
      const pools = await withPools(options, surroundings, async (scaling) =>
        pool === undefined ? scaling.list() : [{ pool, ...(await scaling.show(pool)) }],
      );
      (options.format === 'json' ? jsonLines(pools) : tableLines(poolsTable(pools))).forEach(surroundings.out);
    });
}

function poolsTable(pools: readonly PoolValue[]): Table {
  return {
    columns: ['pool', 'workers wanted', 'waiting', 'active', 'oldest', 'reason'],
    rows: pools.map(({ pool, desired, depth, active, oldest_age_seconds, reason }) => [
      ...[pool, String(desired), String(depth), String(active), `${oldest_age_seconds} s`, reason],
    ]),
  };
}

export function scalingCommand(surroundings: Surroundings): Command {
  return new Command('scaling')
    .description('how the number of workers follows what waits')
    .addCommand(showCommand(surroundings))
    .addCommand(simulateCommand(surroundings));
}
