// Cases of reconciliation, and the changes of a name, as they are shown.
import type { CaseValue } from '../operations/case-value.ts';
import type { ChangeValue } from '../operations/change-value.ts';
import type { Table } from './render.ts';

/** How long ago a time was. */
export function sinceText(time: string, now: number): string {
  return ageText(now - Date.parse(time));
}

/** A duration in the largest unit that fits: `45 s`, `12 min`, `3 h`, `2 d`. */
function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

function rivalsText({ rivals }: CaseValue): string {
  return rivals.map(({ location, kind }) => `${location} (${kind})`).join(', ');
}

function waitingText({ waiting }: CaseValue): string {
  return waiting ?? 'a look by the worker';
}

/** What an open case says, by name. */
export function casePairs(open: CaseValue, now: number): [string, string][] {
  return [
    ['reconciliation', open.reason],
    ['  open for', sinceText(open.since, now)],
    ['  by session', open.session],
    ['  also held by', rivalsText(open)],
    ['  waits for', waitingText(open)],
  ];
}

export function casesTable(cases: readonly CaseValue[], now: number): Table {
  const rows = cases.map((open) => [
    ...[open.name, sinceText(open.since, now), open.reason, rivalsText(open), waitingText(open)],
  ]);
  return { columns: ['name', 'open for', 'reason', 'also held by', 'waits for'], rows };
}

export function changesTable(changes: readonly ChangeValue[]): Table {
  const rows = changes.map(({ shard, seq, time, name, cause, state, location, from, by, session }) => {
    const to = state === 'absent' ? 'absent' : `${state} ${location}`;
    return [`${shard}:${seq}`, time, name, cause, from, to, by, session];
  });
  return { columns: ['change', 'time', 'name', 'cause', 'from', 'to', 'by', 'session'], rows };
}
