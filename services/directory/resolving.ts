// What a resolution makes of a row, and whether its case is over.
import { isAboutRivals, reasons, weightier } from './case.ts';
import type { Case, Rival } from './case.ts';
import type { Resolution } from './directory.ts';
import type { Row } from './entry.ts';
import { taken } from './ruling.ts';
import type { Applied } from './ruling.ts';

export interface Resolved extends Applied {
  /** Why the case stays open; undefined when it is over. */
  reason: string | undefined;
}

/** Row, rivals and case after a resolution. Of a name without a row only a claim can make something. `now` in milliseconds since 1970. */
export function resolved(row: Row | undefined, open: Case | undefined, resolution: Resolution, now: number): Resolved {
  const { forget, session } = resolution;
  const rivals = (open?.rivals ?? []).filter(({ server }) => !forget.includes(server));
  const action = row === undefined && resolution.action !== 'claim' ? 'close' : resolution.action;
  const after = finished(action, row, rivals, resolution, { session, since: now, ended: now });
  if (action === 'hand') return { ...after, reason: open?.reason ?? reasons.handed };
  // Whoever gives the name to one server has not said that no other holds a copy.
  const unasked = action === 'claim' && open !== undefined && !isAboutRivals(open);
  if (after.rivals.length === 0 && !unasked) return { ...after, reason: undefined };
  return {
    ...after,
    reason: action === 'claim' ? weightier(open, reasons.claimed) : (open?.reason ?? reasons.claimed),
  };
}

function finished(
  action: Resolution['action'],
  row: Row | undefined,
  rivals: readonly Rival[],
  { at }: Resolution,
  mark: Pick<Row, 'session' | 'since' | 'ended'>,
): Applied {
  const { location = '', acl = '' } = row ?? {};
  switch (action) {
    case 'close':
      return { row, rivals, logged: false };
    case 'remove':
      return { row: undefined, rivals, logged: true };
    case 'restore':
      return taken({ row, rivals }, { location, acl });
    case 'hand':
      // What is handed stays as old as it is.
      if (row?.state === 'handed') return { row, rivals, logged: false };
      return { row: { state: 'handed', location, acl, ...mark }, rivals, logged: true };
    case 'claim':
      return taken({ row, rivals }, at ?? { location, acl });
  }
}
