// Traces of arrivals: when jobs came, how many, and how long each takes; as text that people write and programs record.

/** Jobs that came at the same moment. Times are in seconds: since the trace began, and of work for each job. */
export interface Arrival {
  at: number;
  jobs: number;
  duration: number;
}

/** A trace that can't be read; the message names the line. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

/** So many jobs in all keep a simulation short: they are counted, not held, but each moves the clock. */
const mostJobs = 10_000_000;

/** A month: longer is a mistake of units. */
const longestTime = 31 * 86_400;

const header = /^at,jobs,duration$/;

/**
 * Reads a trace. It is CSV: a first line `at,jobs,duration`, then one line for each moment at which jobs came, in order:
 * seconds since the trace began, how many jobs, and how many seconds a worker is busy with each. Empty lines and lines
 * that begin with `#` say nothing. Throws TraceError.
 */
export function readTrace(text: string): Arrival[] {
  const lines = text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'));
  const [first, ...rest] = lines;
  if (!first || !header.test(first.line)) {
    const found = first ? `is '${first.line.slice(0, 40)}'` : 'is missing';
    throw new TraceError(`line ${first?.number ?? 1}: the heading ${found}; it must be at,jobs,duration`);
  }
  const arrivals = rest.map(({ line, number }) => arrivalOf(line, number));
  for (const [index, { at }] of arrivals.entries()) {
    if (at < (arrivals[index - 1]?.at ?? 0)) {
      throw new TraceError(`line ${rest[index]?.number ?? 0}: ${at} s is before the line above it; sort by time`);
    }
  }
  const jobs = arrivals.reduce((total, arrival) => total + arrival.jobs, 0);
  if (jobs > mostJobs) throw new TraceError(`${jobs} jobs are in it; at most ${mostJobs} may be`);
  if (jobs === 0) throw new TraceError('no job is in it');
  return arrivals;
}

function arrivalOf(line: string, number: number): Arrival {
  const fields = line.split(',').map((field) => field.trim());
  const [at, jobs, duration] = fields.map((field) => (/^\d+(\.\d+)?$/.test(field) ? Number(field) : Number.NaN));
  const wrong = (what: string, may: string) => new TraceError(`line ${number}: '${line.slice(0, 40)}': ${what} ${may}`);
  if (fields.length !== 3) throw wrong('it', 'must be three numbers: at,jobs,duration');
  if (at === undefined || !(at <= longestTime)) throw wrong('at', `must be seconds, from 0 to ${longestTime}`);
  if (jobs === undefined || !Number.isInteger(jobs)) throw wrong('jobs', 'must be a whole number');
  if (duration === undefined || !(duration <= longestTime)) {
    throw wrong('duration', `must be seconds, from 0 to ${longestTime}`);
  }
  return { at, jobs, duration };
}
