// How runs and moves are shown: tables, the figures of a run, and what its exit code is.
import { isAtRest } from '../operations/following-run.ts';
import type { MoveValue, ReportRow, RunValue, WholeRunValue } from '../operations/run-value.ts';
import { exit } from './exit-codes.ts';
import type { Table } from './render.ts';

/** States of trees in the order in which they are told. */
const ends = ['done', 'back', 'refused', 'stopped', 'skipped', 'dropped'] as const;

export function countOf({ counts }: Pick<RunValue, 'counts'>, ...states: (typeof ends)[number][]): number {
  return states.reduce((sum, state) => sum + counts[state], 0);
}

/** How many have failed; what is back was cancelled. */
export function failuresOf(run: Pick<RunValue, 'counts'>): number {
  return countOf(run, 'refused', 'stopped');
}

/** Trees of which nothing more will come by itself. */
export function passedOf(run: Pick<RunValue, 'counts'>): number {
  return countOf(run, ...ends);
}

/** 0: all are moved. 65: some are not, for good. 75: it isn't over. */
export function runCode(run: RunValue): number {
  if (run.state === 'done') return countOf(run, 'done') === run.moves ? exit.ok : exit.data;
  return exit.temporary;
}

/** Whether nobody need wait for it: it is over, or has stopped by itself and nothing is under way. */
export function isAtItsEnd(run: WholeRunValue): boolean {
  return run.ended !== undefined || (run.state === 'stopped' && isAtRest(run));
}

export function runsTable(runs: readonly RunValue[]): Table {
  const rows = runs.map((run) => [
    ...[run.run, run.state, String(run.moves), String(countOf(run, 'done')), String(failuresOf(run))],
    ...[String(countOf(run, 'back')), String(run.counts.moving), sizeText(run.octets), run.by, run.since, run.why],
  ]);
  return { columns: ['run', 'state', 'trees', 'done', 'failed', 'back', 'moving', 'size', 'by', 'since', 'why'], rows };
}

export function runPairs(run: WholeRunValue): [string, string][] {
  const { limits, stop_when: stop } = run;
  const all = Object.entries(run.counts).filter(([, count]) => count > 0);
  const speed = speedText(run);
  const octets = limits.bytes_per_second === 0 ? 'any' : `${sizeText(limits.bytes_per_second)}/s`;
  return [
    ...([
      ['run', run.run],
      ['plan', run.plan],
      ['state', run.state],
      ['why', run.why],
    ] as [string, string][]),
    ['started', `${run.since} by ${run.by}`],
    ...(run.ended === undefined ? [] : [['ended', run.ended] as [string, string]]),
    ['trees', `${run.moves}: ${all.map(([state, count]) => `${count} ${state}`).join(', ')}`],
    ['octets', `${sizeText(run.octets_moved)} of ${sizeText(run.octets)}`],
    ...(speed === '' ? [] : [['speed', speed] as [string, string]]),
    [
      'limits',
      `${limits.total} at a time, ${limits.per_source} a source, ${limits.per_destination} a destination, ${limits.per_partition} a partition; ${octets}`,
    ],
    ['windows', run.windows.length === 0 ? 'at any time' : run.windows.join(', ')],
    ['stops when', stopText(stop)],
  ];
}

function stopText({ failed, failed_percent: percent, deferred, latency }: RunValue['stop_when']): string {
  const all = [
    failed > 0 ? `${failed} have failed` : '',
    percent > 0 ? `${percent} % have failed` : '',
    deferred > 0 ? `${deferred} messages a minute are put off` : '',
    latency > 0 ? `a backend takes ${latency} s to answer` : '',
  ].filter((text) => text !== '');
  return all.length === 0 ? 'never by itself' : all.join(', or ');
}

export function movesTable(moves: readonly MoveValue[]): Table {
  const rows = moves.map(({ name, from, to, octets, step, note }) => [name, from, to, sizeText(octets), step, note]);
  return { columns: ['under way', 'from', 'to', 'size', 'step', 'note'], rows };
}

export function movePairs(move: MoveValue): [string, string][] {
  return Object.entries(move).map(([key, value]) => [key, String(value)]);
}

export function reportTable(rows: readonly ReportRow[]): Table {
  return {
    columns: ['name', 'from', 'to', 'state', 'size', 'seconds', 'held', 'note'],
    rows: rows.map(({ name, from, to, state, octets, seconds, held_seconds: held, note }) => [
      ...[name, from, to, state, sizeText(octets), seconds === undefined ? '' : String(seconds)],
      ...[held === undefined ? '' : String(held), note],
    ]),
  };
}

/** `56/min, 41.0 MB/s, 2h 14m left`; empty where it is not known. */
export function speedText({
  moves_per_minute: moves,
  octets_per_second: octets,
  eta_seconds: eta,
}: Pick<WholeRunValue, 'moves_per_minute' | 'octets_per_second' | 'eta_seconds'>): string {
  return [
    ...(moves === undefined ? [] : [`${moves}/min`]),
    ...(octets === undefined || octets === 0 ? [] : [`${sizeText(octets)}/s`]),
    ...(eta === undefined ? [] : [`${durationText(eta)} left`]),
  ].join(', ');
}

/** `45s`, `12m 30s`, `2h 14m`, `3d 4h`. */
export function durationText(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${Math.floor(seconds % 60)}s` : `${Math.round(seconds)}s`;
}

/** In units of a thousand, as disks and networks have it. */
export function sizeText(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let at = 0;
  let size = octets;
  for (; size >= 1000 && at < units.length - 1; at += 1) size /= 1000;
  return `${at === 0 ? size : size.toFixed(1)} ${units[at] ?? ''}`;
}
