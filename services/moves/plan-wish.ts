// What an operator wants planned: which trees, where to, and under which limits.
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Destination } from './destinations.ts';
import { locationOf } from './plan.ts';
import type { PlanLimits } from './plan.ts';

/** What can be no plan; the message says why. */
export class UnfitPlan extends Error {
  override readonly name = 'UnfitPlan';
  readonly kind = 'refused';
}

/** A tree by what somebody calls it: of these roots the one that is there is meant. */
export interface Named {
  said: Bytes;
  may: readonly Bytes[];
}

/** Which trees are meant. */
export type Meant =
  /** Users and shared mailboxes, and by a pattern of names of INBOXes and shared mailboxes. */
  | { is: 'named'; names: readonly Named[]; pattern?: Bytes | undefined }
  /** All of a server. */
  | { is: 'evacuate'; server: Bytes }
  /** As few octets as it takes for all servers to be within so many percent of each other. */
  | { is: 'rebalance'; within: number };

export interface PlanWish extends Destination {
  meant: Meant;
  /** Whether the servers are asked for sizes. */
  sizes: boolean;
  limits: PlanLimits;
}

/** In a few words, as it stands in the plan. */
export function askedText({ meant, to }: PlanWish): string {
  const where = to.length === 0 ? '' : ` to ${to.map(placeText).join(', ')}`;
  if (meant.is === 'evacuate') return `evacuate ${readable(meant.server)}${where}`;
  if (meant.is === 'rebalance') return `rebalance within ${meant.within}%`;
  const named = [
    ...(meant.names.length > 0 ? [`${meant.names.length} named`] : []),
    ...(meant.pattern === undefined ? [] : [`those like ${readable(meant.pattern)}`]),
  ];
  return `${named.join(' and ')}${where}`;
}

function placeText(place: Destination['to'][number]): string {
  return readable(place.partition === '' ? place.server : locationOf(place));
}
