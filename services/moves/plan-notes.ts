// What whoever reads a plan should know before it is started.
import { readable } from '../address/bytes.ts';
import { textFromBytes } from '../directory/entry.ts';
import type { Policy } from '../placement/policy.ts';
import { treesText } from './plan.ts';
import type { PlannedMove } from './plan.ts';
import type { Rate } from './plan-rate.ts';
import type { Candidate } from './plan-trees.ts';
import type { Room } from './room.ts';

interface Noted {
  moves: readonly PlannedMove[];
  /** As it is when all of it is done. */
  room: Room;
  rate: Rate;
  /** Whether sizes were asked for. */
  sizes: boolean;
  policy: Policy;
}

/** Sentences. */
export function notesOf({ moves, room, rate, sizes, policy }: Noted): string[] {
  if (moves.length === 0) return [];
  const destinations = [...new Set(moves.map(({ to }) => textFromBytes(to.server)))].sort();
  return [
    ...(sizes ? [] : ['sizes were not asked for: nothing is known of the space that is taken, and little of the time']),
    ...(rate.measured === 0 ? ['the duration is supposed: no moves are over yet that it could be learnt from'] : []),
    ...destinations.flatMap((name) => noteOn(name, room, policy)),
  ];
}

function noteOn(name: string, room: Room, policy: Policy): string[] {
  const space = room.spaceOf(name);
  return [
    ...(policy.backends.get(name)?.drain ? [`${name} drains, and is a destination by your word`] : []),
    ...(space === undefined ? [`nothing is known of the room on ${name}`] : []),
    ...(space && space.freeKiB < 0 ? [`${name} would have ${Math.round(-space.freeKiB)} KiB too little room`] : []),
  ];
}

/** How many are named. */
const mostNamed = 5;

/** Cyrus takes the quota along with the tree, and what is used of it. */
export function overQuotaNote(trees: readonly Candidate[]): string[] {
  const over = trees.filter((tree) => tree.over).map(({ name }) => readable(name));
  if (over.length === 0) return [];
  const named = over.slice(0, mostNamed).join(', ');
  const more = over.length > mostNamed ? ', ...' : '';
  const are = over.length === 1 ? 'is over its quota, and will be so' : 'are over their quotas, and will be so';
  return [`${treesText(over.length)} ${are} at the destination, for the quota goes along: ${named}${more}`];
}
