// Jobs as they are shown: a line each, or one with all that is known of it.
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { JobValue, WholeJobValue } from '../operations/job-value.ts';
import type { Table } from './render.ts';

/** Text of others, who may send several lines. */
function oneLine(text: string): string {
  return readable(bytesFromText(text));
}

export function jobsTable(jobs: readonly JobValue[]): Table {
  return {
    columns: ['id', 'state', 'about', 'attempts', 'since', 'kind', 'reason'],
    rows: jobs.map((job) => [
      ...[job.id, job.state, job.about, String(job.attempts), job.since, job.kind ?? '-'],
      oneLine(job.reason ?? ''),
    ]),
  };
}

/** One job: each fact by its name; what is not known is left out. */
export function wholeJobPairs(job: WholeJobValue): [string, string][] {
  const { failures } = job;
  const counts = Object.entries(failures?.counts ?? {}).map(([kind, count]) => `${kind} ${count}`);
  const pairs: [string, string | undefined][] = [
    ['id', job.id],
    ['state', job.state],
    ['about', job.about],
    ['since', job.since],
    ['finished', job.finished],
    ['attempts', String(job.attempts)],
    ['kind', job.kind],
    ['reason', job.reason === undefined ? undefined : oneLine(job.reason)],
    ['failures', counts.length > 0 ? `${counts.join(', ')}; the first ${failures?.first ?? ''}` : undefined],
    ['worker', job.worker],
    ['progress', job.progress === undefined ? undefined : JSON.stringify(job.progress)],
    ['traceparent', job.traceparent],
    ['job', JSON.stringify(job.data)],
    ...job.log.map((line): [string, string] => ['log', oneLine(line)]),
  ];
  return pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
}
