// Jobs as they are shown: a line each, or one with all that is known of it.
import { readable } from '../address/bytes.ts';
import type { JobView, WholeJob } from '../events/backlog.ts';
import { timeText } from './case-view.ts';
import type { Table } from './render.ts';

/** What a job is about; one that cannot be read says so in its reason. */
function aboutText({ subject }: JobView): string {
  return subject === undefined ? '?' : readable(subject);
}

/** Text of others, who may send several lines. */
function oneLine(text: string): string {
  return readable(Buffer.from(text, 'utf8').toString('latin1'));
}

const timeOf = (time: number | undefined) => (time === undefined ? undefined : timeText(time));

export function jobJson(job: JobView): object {
  const { id, state, attempts, kind, reason, worker } = job;
  return {
    ...{ id, state, about: aboutText(job), attempts, since: timeText(job.since), finished: timeOf(job.finished) },
    ...{ kind, reason, worker },
  };
}

export function wholeJobJson(job: WholeJob): object {
  const { failures, traceparent, progress, data, log } = job;
  const failed = failures && { ...failures, first: timeText(failures.first) };
  return { ...jobJson(job), failures: failed, traceparent, progress, data, log };
}

export function jobsTable(jobs: readonly JobView[]): Table {
  return {
    columns: ['id', 'state', 'about', 'attempts', 'since', 'kind', 'reason'],
    rows: jobs.map((job) => [
      ...[job.id, job.state, aboutText(job), String(job.attempts), timeText(job.since), job.kind ?? '-'],
      oneLine(job.reason ?? ''),
    ]),
  };
}

/** One job: each fact by its name; what is not known is left out. */
export function wholeJobPairs(job: WholeJob): [string, string][] {
  const { failures } = job;
  const counts = Object.entries(failures?.counts ?? {}).map(([kind, count]) => `${kind} ${count}`);
  const pairs: [string, string | undefined][] = [
    ['id', job.id],
    ['state', job.state],
    ['about', aboutText(job)],
    ['since', timeText(job.since)],
    ['finished', timeOf(job.finished)],
    ['attempts', String(job.attempts)],
    ['kind', job.kind],
    ['reason', job.reason === undefined ? undefined : oneLine(job.reason)],
    ['failures', counts.length > 0 ? `${counts.join(', ')}; the first ${timeText(failures?.first ?? 0)}` : undefined],
    ['worker', job.worker],
    ['progress', job.progress === undefined ? undefined : JSON.stringify(job.progress)],
    ['traceparent', job.traceparent],
    ['job', JSON.stringify(job.data)],
    ...job.log.map((line): [string, string] => ['log', oneLine(line)]),
  ];
  return pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
}
