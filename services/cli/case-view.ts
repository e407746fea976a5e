// Cases of reconciliation, and the changes of a name, as they are shown.
import { readable } from '../address/bytes.ts';
import type { Case } from '../directory/case.ts';
import type { Change } from '../directory/directory.ts';
import type { Table } from './render.ts';

export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** A duration in the largest unit that fits: `45 s`, `12 min`, `3 h`, `2 d`. */
export function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

function rivalsText({ rivals }: Case): string {
  return rivals.map(({ location, kind }) => `${readable(location)} (${kind})`).join(', ');
}

function waitingText({ waiting }: Case): string {
  return waiting ?? 'a look by the worker';
}

/** What an open case says, by name. */
export function casePairs(open: Case, now: number): [string, string][] {
  return [
    ['reconciliation', open.reason],
    ['  open for', ageText(now - open.since)],
    ['  by session', open.session],
    ['  also held by', rivalsText(open)],
    ['  waits for', waitingText(open)],
  ];
}

export function casesTable(cases: readonly Case[], now: number): Table {
  const rows = cases.map((open) => [
    ...[readable(open.name), ageText(now - open.since), open.reason, rivalsText(open), waitingText(open)],
  ]);
  return { columns: ['name', 'open for', 'reason', 'also held by', 'waits for'], rows };
}

export function caseJson({ name, reason, session, since, rivals, waiting }: Case): Record<string, unknown> {
  return {
    ...{ name: readable(name), reason, session, since: timeText(since), waiting: waiting ?? null },
    rivals: rivals.map((rival) => ({ kind: rival.kind, location: readable(rival.location) })),
  };
}

export function changesTable(changes: readonly Change[]): Table {
  const rows = changes.map((change) => {
    const from = change.from === '' ? '' : readable(change.from);
    const to = change.state === 'absent' ? 'absent' : `${change.state} ${readable(change.location)}`;
    const place = `${change.shard}:${change.seq}`;
    return [place, timeText(change.time), readable(change.name), change.cause, from, to, change.by, change.session];
  });
  return { columns: ['change', 'time', 'name', 'cause', 'from', 'to', 'by', 'session'], rows };
}

export function changeJson(change: Change): Record<string, unknown> {
  const { shard, seq, name, cause, state, location, from, by, session, time } = change;
  return {
    ...{ shard, seq, time: timeText(time), name: readable(name), cause, state },
    ...{ location: readable(location), from: readable(from), by, session },
  };
}
