// What a resolution makes of a row, and whether its case is over.
import type { Rival } from './case.ts';
import { reasons } from './case.ts';
import type { Resolution } from './directory.ts';
import type { Row } from './entry.ts';
import { taken } from './ruling.ts';
import type { Applied } from './ruling.ts';

/** Row and rivals after a resolution. `now` in milliseconds since 1970. */
export function finishedRow(
  row: Row | undefined,
  rivals: readonly Rival[],
  { action, forget, at, session }: Resolution,
  now: number,
): Applied {
  const left = rivals.filter(({ server }) => !forget.includes(server));
  switch (action) {
    case 'close':
      return { row, rivals: left, logged: false };
    case 'remove':
      return { row: undefined, rivals: left, logged: row !== undefined };
    case 'restore':
      return row
        ? taken({ row, rivals: left }, { location: row.location, acl: row.acl })
        : { row, rivals: left, logged: false };
    case 'hand': {
      if (!row) return { row, rivals: left, logged: false };
      const { location, acl } = row;
      const next: Row = { state: 'handed', location, acl, session, since: now, ended: now };
      return { row: next, rivals: left, logged: row.state !== 'handed' };
    }
    case 'claim':
      return taken({ row, rivals: left }, at ?? { location: '', acl: '' });
  }
}

/** Why the case stays open after a resolution; undefined when it is over. */
export function openReason(
  action: Resolution['action'],
  before: string | undefined,
  { rivals }: Pick<Applied, 'rivals'>,
): string | undefined {
  if (action === 'hand') return before ?? reasons.handed;
  if (rivals.length === 0) return undefined;
  return action === 'claim' ? reasons.claimed : (before ?? reasons.claimed);
}
